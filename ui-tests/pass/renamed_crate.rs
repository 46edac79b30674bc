//! Sancho under other names.
extern crate sancho as kit;

mod prelude {
    pub use ::sancho as engine;
}

mod jobs {
    #[kit::job(crate = kit)]
    pub async fn by_name(id: i64) {
        let _ = id;
    }

    #[kit::job(crate = ::kit)]
    pub fn by_root(id: i64) {
        let _ = id;
    }

    #[kit::job(crate = crate::prelude::engine)]
    pub async fn by_re_export(id: i64) {
        let _ = id;
    }

    #[kit::job(crate = super::prelude::engine)]
    pub async fn by_relative_path(id: i64) {
        let _ = id;
    }
}

fn main() {
    drop(jobs::by_name::perform_async(1));
    drop(jobs::by_root::perform_async(1));
    drop(jobs::by_re_export::perform_async(1));
    drop(jobs::by_relative_path::perform_async(1));
}
