//! The schedule file of a running worker.

use rustix::process::Signal;
use sancho::api::{Api, Cron};
use tokio::time::timeout;

use crate::process::{PATIENCE, Site, Worker};

async fn until_names(cron: &Cron, wanted: &[&str]) {
    let known = async {
        loop {
            let listed = cron.list().await.unwrap();
            let names: Vec<_> = listed.iter().map(|status| &*status.name).collect();
            if names == wanted {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    let known = timeout(PATIENCE, known).await;
    known.unwrap_or_else(|_| panic!("the entries never were {wanted:?}"));
}

#[tokio::test]
async fn a_hangup_reads_the_schedule_file_anew() {
    let site = Site::new();
    let client = site.client().await;
    let cron = Api::new(&client).cron();
    // There is none yet.
    let mut worker = Worker::serving(site.worker([""; 0])).await;
    site.write(
        "config/schedule.yml",
        "a: {cron: '@yearly', class: Says, args: [from a]}\nb: {cron: '@yearly', class: Says, args: [from b]}\n",
    );
    worker.send(Signal::HUP);
    let read = "the schedule file config/schedule.yml was read anew";
    worker.line(read).await;
    until_names(&cron, &["a", "b"]).await;
    cron.disable("a").await.unwrap();

    site.write(
        "config/schedule.yml",
        "a: {cron: '@monthly', class: Says, args: [from a]}\nc: {cron: '* * * * * *', class: Says, args: [from c]}\n",
    );
    worker.send(Signal::HUP);
    worker.line(read).await;
    until_names(&cron, &["a", "c"]).await;
    worker.line("from c").await;
    let changed = cron.get("a").await.unwrap().unwrap();
    let entry = changed.entry.unwrap();
    assert_eq!(entry.schedule().expression(), "@monthly");
    assert!(!changed.enabled, "it stays disabled");

    site.write(
        "config/schedule.yml",
        "a: {cron: '@daily', class: Says}\nd: {cron: '* * * * * *', class: Says, queue: ''}\n",
    );
    worker.send(Signal::HUP);
    let line = worker.line("the cron's entries stay as they were").await;
    for part in ["config/schedule.yml", "entry \"d\"", "field \"queue\""] {
        assert!(line.contains(part), "{line}");
    }
    worker.line("from c").await;
    until_names(&cron, &["a", "c"]).await;
    let entry = cron.get("a").await.unwrap().unwrap().entry.unwrap();
    assert_eq!(entry.schedule().expression(), "@monthly");
    worker.stop().await;
}
