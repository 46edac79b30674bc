//! Every visibility, inside functions and methods, under `use`, and only with types of their own visibility.
#![allow(private_interfaces)]

use sancho::job;

mod outer {
    pub mod jobs {
        use sancho::job;

        #[derive(serde::Serialize, serde::Deserialize)]
        pub(crate) struct Private;

        #[job]
        pub async fn everywhere(_item: Private) {}
        #[job]
        pub(crate) async fn in_crate(_item: Private) {}
        #[job]
        pub(super) async fn in_parent(_id: i64) {}
        #[job]
        pub(in crate::outer) async fn in_path(_id: i64) {}
        #[job]
        async fn nowhere(_id: i64) {}

        pub(crate) fn push() {
            drop(nowhere::perform_async(1));
        }
    }

    pub(crate) fn push() {
        drop(jobs::in_parent::perform_async(1));
        drop(jobs::in_path::perform_async(1));
    }
}

use outer::jobs::everywhere;
use outer::jobs::in_crate as renamed;

struct Mailer;

impl Mailer {
    fn send(&self) {
        #[job]
        async fn inside_a_method(_id: i64) {}
        drop(inside_a_method::perform_async(1));
    }
}

fn main() {
    #[job(class = "Local")]
    async fn inside_main(_id: i64) {}
    drop(inside_main::perform_async(1));
    drop(everywhere::perform_async(outer::jobs::Private));
    drop(renamed::perform_async(outer::jobs::Private));
    outer::push();
    outer::jobs::push();
    Mailer.send();

    let names: Vec<_> = sancho::__private::JOBS.iter().map(|job| job.name).collect();
    for name in [
        "everywhere",
        "in_crate",
        "in_parent",
        "in_path",
        "nowhere",
        "inside_a_method",
        "inside_main",
    ] {
        assert!(names.contains(&name), "{name} of {names:?}");
    }
}
