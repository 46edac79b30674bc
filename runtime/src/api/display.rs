//! A job as it is to be shown: what an ActiveJob wraps, and its arguments without the marks of their serialisation. As Sidekiq's
//! `display_class` and `display_args` do.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::JobRecord;
use crate::job::active_job;
use crate::job::payload::read_object;

/// The mailer jobs of Rails: before 6, and since.
const MAILERS: [&str; 2] = ["ActionMailer::DeliveryJob", "ActionMailer::MailDeliveryJob"];

/// How many arguments of a mailer job say which mail it is: mailer, method, and when.
const MAIL: usize = 3;

/// What stands for an argument that is encrypted.
const ENCRYPTED: &str = "\"[encrypted data]\"";

/// How deep an argument is looked into; what is below stays as it is.
const MAX_DEPTH: usize = 100;

/// What an ActiveJob is serialised to: the only argument of its wrapper.
#[derive(Deserialize)]
struct ActiveJob<'a> {
    #[serde(default)]
    job_class: Option<String>,
    #[serde(borrow, default)]
    arguments: Vec<&'a RawValue>,
}

pub(super) fn class(job: &JobRecord) -> String {
    if let Some(class) = job.string("display_class") {
        return class;
    }
    if !is_wrapper(job) {
        return job.class().to_owned();
    }
    let active = active_job(job);
    let mail = active.as_ref().filter(|active| is_mailer(job, active));
    if let Some(mail) = mail
        && let [mailer, method, ..] = &mail.arguments[..]
        && let (Some(mailer), Some(method)) = (string(mailer), string(method))
    {
        return format!("{mailer}#{method}");
    }
    let said = active.and_then(|active| active.job_class);
    job.string("wrapped")
        .or(said)
        .unwrap_or_else(|| job.class().to_owned())
}

pub(super) fn args(job: &JobRecord) -> Vec<String> {
    if is_wrapper(job)
        && let Some(active) = active_job(job)
    {
        return unwrapped(job, &active);
    }
    let args: Vec<&RawValue> = job.value("args").unwrap_or_default();
    let mut args: Vec<String> = args.iter().map(|arg| arg.get().to_owned()).collect();
    let is_encrypted = job
        .field("encrypt")
        .is_some_and(|encrypt| !matches!(encrypt, "false" | "null"));
    if let Some(last) = args.last_mut().filter(|_| is_encrypted) {
        ENCRYPTED.clone_into(last);
    }
    args
}

fn is_wrapper(job: &JobRecord) -> bool {
    active_job::is_wrapper(job.class())
}

fn active_job(job: &JobRecord) -> Option<ActiveJob<'_>> {
    let args: Vec<&RawValue> = job.value("args")?;
    serde_json::from_str(args.first()?.get()).ok()
}

fn is_mailer(job: &JobRecord, active: &ActiveJob<'_>) -> bool {
    let class = job.string("wrapped").or_else(|| active.job_class.clone());
    class.is_some_and(|class| MAILERS.contains(&&*class))
}

fn unwrapped(job: &JobRecord, active: &ActiveJob<'_>) -> Vec<String> {
    #[derive(Deserialize)]
    struct Mail<'a> {
        #[serde(borrow, default)]
        params: Option<&'a RawValue>,
        #[serde(borrow, default)]
        args: Option<&'a RawValue>,
    }
    if !is_mailer(job, active) {
        return active.arguments.iter().map(|arg| show(arg, 0)).collect();
    }
    let rest = active.arguments.iter().skip(MAIL);
    // Since Rails 6 what the mail is about stands in one hash.
    if let [mail] = &rest.clone().collect::<Vec<_>>()[..]
        && let Ok(Mail {
            params,
            args: Some(args),
        }) = serde_json::from_str(mail.get())
    {
        let params = params.filter(|params| params.get() != "null");
        return params
            .into_iter()
            .chain([args])
            .map(|part| show(part, 0))
            .collect();
    }
    rest.map(|arg| show(arg, 0)).collect()
}

/// The JSON text of an argument without the marks of ActiveJob.
fn show(json: &RawValue, depth: usize) -> String {
    let text = json.get();
    if depth == MAX_DEPTH {
        return text.to_owned();
    }
    let inner = |json: &str| match serde_json::from_str::<&RawValue>(json) {
        Ok(json) => show(json, depth + 1),
        Err(_) => json.to_owned(),
    };
    if text.starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(text).unwrap_or_default();
        let items: Vec<String> = items.iter().map(|item| inner(item.get())).collect();
        return format!("[{}]", items.join(","));
    }
    if !text.starts_with('{') {
        return text.to_owned();
    }
    let mut fields: Vec<(String, &str)> = Vec::new();
    let each = |key, json| fields.push((key, json));
    if read_object(text, |key| Some(key.to_owned()), each).is_err() {
        return text.to_owned();
    }
    let field = |name: &str| {
        fields
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, json)| *json)
    };
    if let Some(id) = field("_aj_globalid") {
        return id.to_owned();
    }
    if let (Some(_), Some(value)) = (field("_aj_serialized"), field("value")) {
        return inner(value);
    }
    let shown: Vec<String> = fields
        .iter()
        .filter(|(key, _)| !key.starts_with("_aj_"))
        .map(|(key, json)| format!("{}:{}", serde_json::Value::from(&**key), inner(json)))
        .collect();
    format!("{{{}}}", shown.join(","))
}

fn string(json: &RawValue) -> Option<String> {
    serde_json::from_str(json.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRAPPERS: [&str; 2] = [
        "Sidekiq::ActiveJob::Wrapper",
        "ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper",
    ];

    fn shown(payload: &str) -> (String, Vec<String>) {
        let job = JobRecord::read(payload.to_owned());
        (job.display_class(), job.display_args())
    }

    fn wrapped(wrapper: &str, class: &str, arguments: &str) -> (String, Vec<String>) {
        shown(&format!(
            r#"{{"class":"{wrapper}","wrapped":"{class}","args":[{{"job_class":"{class}","arguments":{arguments}}}]}}"#
        ))
    }

    #[test]
    fn a_plain_job_shows_its_own_text() {
        let (class, args) =
            shown(r#"{"class":"A","args":[1.0e+20,12345678901234567890,{"b" : 1}]}"#);
        assert_eq!(class, "A");
        assert_eq!(args, ["1.0e+20", "12345678901234567890", r#"{"b" : 1}"#]);
        assert_eq!(
            shown(r#"{"class":"A","display_class":"B","args":[]}"#).0,
            "B"
        );
    }

    #[test]
    fn an_encrypted_argument_is_masked() {
        let (_, args) = shown(r#"{"class":"A","args":[1,"BAhTOhFTaWRla"],"encrypt":true}"#);
        assert_eq!(args, ["1", ENCRYPTED]);
        let (_, args) = shown(r#"{"class":"A","args":[1,"x"],"encrypt":false}"#);
        assert_eq!(args, ["1", "\"x\""]);
    }

    #[test]
    fn both_wrappers_are_unwrapped() {
        let arguments = r#"[{"_aj_globalid":"gid://app/User/42"},{"a":[{"_aj_globalid":"gid://app/User/1"}],"_aj_symbol_keys":["a"]},{"_aj_serialized":"ActiveJob::Serializers::SymbolSerializer","value":"fast"},7]"#;
        for wrapper in WRAPPERS {
            let (class, args) = wrapped(wrapper, "ReportJob", arguments);
            assert_eq!(class, "ReportJob");
            assert_eq!(
                args,
                [
                    r#""gid://app/User/42""#,
                    r#"{"a":["gid://app/User/1"]}"#,
                    r#""fast""#,
                    "7"
                ]
            );
        }
    }

    #[test]
    fn a_mailer_shows_its_mail() {
        let old = r#"["UserMailer","welcome","deliver_now",42]"#;
        let (class, args) = wrapped(WRAPPERS[1], MAILERS[0], old);
        assert_eq!(
            (&*class, args),
            ("UserMailer#welcome", vec!["42".to_owned()])
        );
        let new = r#"["UserMailer","welcome","deliver_now",{"params":{"id":1,"_aj_symbol_keys":["id"]},"args":[42],"_aj_ruby2_keywords":["params","args"]}]"#;
        let (class, args) = wrapped(WRAPPERS[0], MAILERS[1], new);
        assert_eq!(class, "UserMailer#welcome");
        assert_eq!(args, [r#"{"id":1}"#, "[42]"]);
        let (_, args) = wrapped(
            WRAPPERS[0],
            MAILERS[1],
            r#"["M","m","deliver_now",{"args":[1]}]"#,
        );
        assert_eq!(args, ["[1]"]);
    }

    #[test]
    fn a_wrapper_around_nothing_shows_itself() {
        for args in ["[]", "[1]", "[{}]", "[{\"arguments\":7}]"] {
            let (class, _) = shown(&format!(r#"{{"class":"{}","args":{args}}}"#, WRAPPERS[0]));
            assert_eq!(class, WRAPPERS[0], "{args}");
        }
    }

    #[test]
    fn what_nests_too_deep_stays_as_it_is() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let (_, args) = wrapped(WRAPPERS[0], "A", &format!("[{deep}]"));
        assert_eq!(args, [deep]);
    }
}
