//! The twin of the Ruby guide's `spec/sidekiq/welcome_email_job_spec.rb`, line by line; Ruby's line stands above ours.

use std::sync::Mutex;

use sancho::testing::{self, TestJobs as _};

use sancho::job;

/// Where mails go.
trait UserMailer: Send + Sync {
    fn welcome_email(&self, user: &User);
}

/// Who is in the database.
struct Users(Vec<User>);

#[derive(Clone, Debug, PartialEq)]
struct User {
    id: i64,
    name: String,
}

#[job(queue = "mailers", retry = 5)]
async fn welcome_email_job(user_id: i64, #[state] users: &Users, #[state] mailer: &dyn UserMailer) {
    match users.0.iter().find(|user| user.id == user_id) {
        Some(user) => mailer.welcome_email(user),
        None => println!("there is no user {user_id} any more"),
    }
}

/// A mailer that keeps what it is told to send.
#[derive(Default)]
struct Received(Mutex<Vec<User>>);

impl UserMailer for Received {
    fn welcome_email(&self, user: &User) {
        self.0.lock().unwrap().push(user.clone());
    }
}

// RSpec.describe WelcomeEmailJob, type: :job do
// describe '#perform' do
mod perform {
    use super::*;

    // let(:user) { create(:user) }
    fn user() -> User {
        User {
            id: 42,
            name: "Ana".into(),
        }
    }

    // it 'sends a welcome email' do
    #[tokio::test]
    async fn sends_a_welcome_email() {
        // expect(UserMailer).to receive(:welcome_email).with(user).and_call_original
        let mailer = Received::default();

        // described_class.new.perform(user.id)
        welcome_email_job(user().id, &Users(vec![user()]), &mailer).await;

        assert_eq!(*mailer.0.lock().unwrap(), [user()]);
    }

    // it 'handles missing users gracefully' do
    #[tokio::test]
    async fn handles_missing_users_gracefully() {
        let mailer = Received::default();

        // expect { described_class.new.perform(0) }.not_to raise_error
        welcome_email_job(0, &Users(vec![user()]), &mailer).await;

        assert!(mailer.0.lock().unwrap().is_empty());
    }
}

// describe 'enqueuing' do
mod enqueuing {
    use super::*;

    // it 'enqueues the job' do
    #[tokio::test]
    async fn enqueues_the_job() {
        // before { Sidekiq::Testing.fake! }
        // after { Sidekiq::Worker.clear_all }: the guard's end clears it.
        let _fake = testing::fake();

        // expect { described_class.perform_async(1) }.to change(described_class.jobs, :size).by(1)
        let before = welcome_email_job::jobs().len();
        welcome_email_job::perform_async(1).await.unwrap();
        assert_eq!(welcome_email_job::jobs().len(), before + 1);
    }

    // it 'enqueues to the mailers queue' do
    #[tokio::test]
    async fn enqueues_to_the_mailers_queue() {
        let _fake = testing::fake();

        // described_class.perform_async(1)
        welcome_email_job::perform_async(1).await.unwrap();

        // expect(described_class.jobs.last['queue']).to eq('mailers')
        assert_eq!(welcome_email_job::jobs().last().unwrap().queue(), "mailers");
    }
}
