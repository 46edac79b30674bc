//! The guide's first job; below, its RSpec file, with Ruby's lines above ours.
//!
//! `cargo run --example welcome_email`; with `SANCHO_STORE` it uses that store instead of memory.
//! `cargo test --example welcome_email` runs its tests.

use sancho::runtime::Server;
use sancho::{Client, Config, job};
use tokio::sync::mpsc;

#[derive(Clone, Debug, PartialEq)]
struct User(i64, &'static str);

struct Users(Vec<User>);

/// Where mails go to be sent.
type Mailer = mpsc::UnboundedSender<User>;

/// Welcomes a user. One who was deleted meanwhile is no error.
#[job(queue = "mailers", retry = 5)]
async fn welcome_email(user_id: i64, #[state] users: &Users, #[state] mailer: &Mailer) {
    if let Some(user) = users.0.iter().find(|user| user.0 == user_id) {
        mailer.send(user.clone()).ok();
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = std::env::var("SANCHO_STORE").unwrap_or_else(|_| "memory:".to_owned());
    let client = Client::connect(Config::new().store(store)).await?;
    let welcome = welcome_email::set().client(&client);
    welcome.perform_async(0).await?;
    welcome.perform_async(42).await?;

    let (mailer, mut mails) = mpsc::unbounded_channel();
    let server = Server::builder().client(&client).queues(["mailers"]);
    let server = server.state(Users(vec![User(42, "Ana")])).state(mailer);
    let first_mail = async {
        if let Some(User(id, name)) = mails.recv().await {
            println!("to user {id}: welcome, {name}");
        }
    };
    server.build()?.run_until(first_mail).await?;
    Ok(())
}

#[cfg(test)]
mod spec {
    use super::*;
    use sancho::testing::{TestJobs as _, assert_enqueued, fake};

    #[tokio::test]
    async fn sends_a_welcome_email() {
        // expect(UserMailer).to receive(:welcome_email).with(user).and_call_original
        let (mailer, mut mails) = mpsc::unbounded_channel();
        // described_class.new.perform(user.id)
        welcome_email(42, &Users(vec![User(42, "Ana")]), &mailer).await;
        assert_eq!(mails.try_recv(), Ok(User(42, "Ana")));
    }

    #[tokio::test]
    async fn handles_missing_users_gracefully() {
        let (mailer, mut mails) = mpsc::unbounded_channel();
        // expect { described_class.new.perform(0) }.not_to raise_error
        welcome_email(0, &Users(Vec::new()), &mailer).await;
        assert!(mails.try_recv().is_err());
    }

    #[tokio::test]
    async fn enqueues_the_job_to_the_mailers_queue() {
        // before { Sidekiq::Testing.fake! }, after { Sidekiq::Worker.clear_all }
        let _fake = fake();
        // expect { described_class.perform_async(1) }.to change(described_class.jobs, :size).by(1)
        welcome_email::perform_async(1).await.unwrap();
        assert_eq!(welcome_email::jobs().len(), 1);
        // expect(described_class.jobs.last['queue']).to eq('mailers')
        assert_eq!(welcome_email::jobs().last().unwrap().queue(), "mailers");
        assert_enqueued!(welcome_email(1), queue = "mailers");
    }
}
