//! The jobs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::{FileTransport, Message, Transport};
use sancho::{Context, JobId, job};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Welcomes a user.
#[job(queue = "quickstart", retry = 5)]
pub(crate) async fn welcome_email(
    name: String,
    email: String,
    plan: String,
    #[state] outbox: &Outbox,
    #[context] cx: &Context,
) -> Result<(), Error> {
    // As long as a mail server takes.
    tokio::time::sleep(Duration::from_millis(30)).await;
    let to = Mailbox::new(Some(name.clone()), email.parse()?);
    outbox.send(
        cx.jid(),
        to,
        "Welcome",
        format!("Dear {name},\n\nthank you for choosing the {plan} plan.\n"),
    )
}

/// Tells the team how many have signed up. A plain function: it runs on the blocking pool.
#[job(queue = "quickstart")]
pub(crate) fn digest(
    sign_ups: usize,
    #[state] outbox: &Outbox,
    #[context] cx: &Context,
) -> Result<(), Error> {
    outbox.send(
        cx.jid(),
        "team@example.com".parse()?,
        "Digest",
        format!("{sign_ups} users have signed up.\n"),
    )
}

/// Fails the first time, as a service that is being restarted does.
#[job(queue = "quickstart", retry = 3)]
pub(crate) async fn flaky_sync(
    service: String,
    #[state] outbox: &Outbox,
    #[context] cx: &Context,
) -> Result<(), Error> {
    if cx.attempt() == 1 {
        return Err(format!("{service} does not answer").into());
    }
    outbox.send(
        cx.jid(),
        "team@example.com".parse()?,
        "Synced",
        format!("{service}, at attempt {}.\n", cx.attempt()),
    )
}

/// Fails every time: after one retry it goes to the dead set.
#[job(queue = "quickstart", retry = 1)]
pub(crate) async fn hopeless_charge(cents: u64) -> Result<(), Error> {
    Err(format!("the card was declined for {cents} cents").into())
}

/// Where mails are written.
pub(crate) struct Outbox {
    mails: PathBuf,
    drafts: PathBuf,
}

impl Outbox {
    pub(crate) fn open(dir: &Path) -> Result<Self, Error> {
        let outbox = Self {
            mails: dir.join("mails"),
            drafts: dir.join("drafts"),
        };
        fs::create_dir_all(&outbox.mails)?;
        fs::create_dir_all(&outbox.drafts)?;
        Ok(outbox)
    }

    /// Writes a mail. A job may run twice (its process may be killed after the mail and before the job is done), so the
    /// mail bears the job's id: written twice, it is there once.
    fn send(&self, jid: &JobId, to: Mailbox, subject: &str, body: String) -> Result<(), Error> {
        let mail = Message::builder()
            .from("Sancho <sancho@example.com>".parse()?)
            .to(to)
            .subject(subject)
            .body(body)?;
        let id = FileTransport::new(&self.drafts).send(&mail)?;
        fs::rename(
            self.drafts.join(format!("{id}.eml")),
            self.mails.join(format!("{jid}.eml")),
        )?;
        Ok(())
    }
}
