//! Proving that a store is whole.

use sancho::api::doctor::{Mended, Violation};
use serde_json::json;

use crate::Session;
use crate::error::{Error, Result};
use crate::output::{Look, grouped, one_line};

pub(crate) async fn doctor(session: &Session, fix: bool) -> Result<()> {
    let Session { api, out, .. } = session;
    let report = api.doctor().await?;
    let mut unmended = 0_u64;
    let mut shown = Vec::new();
    for violation in &report.violations {
        let mended = if fix {
            Some(api.mend(violation).await?)
        } else {
            None
        };
        let is_mended = mended
            .as_ref()
            .is_some_and(|mended| !matches!(mended, Mended::Left { .. }));
        unmended += u64::from(!violation.is_note() && !is_mended);
        if out.json {
            shown.push(json!({
                "kind": violation.name(),
                "note": violation.is_note(),
                "text": violation.to_string(),
                "mended": mended.as_ref().map(|_| is_mended),
            }));
        } else {
            out.say(&line(session, violation, mended.as_ref()))?;
        }
    }
    if out.json {
        out.json(&json!({
            "payloads": report.payloads,
            "unfinished": report.unfinished,
            "violations": shown,
        }))?;
    } else {
        if let Some(why) = &report.unfinished {
            out.say(&out.paint(
                &format!("not everything could be looked at: {why}"),
                Look::Warning,
            ))?;
        }
        out.say(&format!(
            "{} payloads were looked at",
            grouped(report.payloads)
        ))?;
    }
    match (unmended, &report.unfinished) {
        (0, None) => Ok(()),
        (0, Some(_)) => Err(Error::failed("not everything could be looked at")),
        (count, _) => {
            let how = if fix {
                ""
            } else {
                ": `sancho doctor --fix` mends what can be mended"
            };
            Err(Error::failed(format!(
                "{count} things are not as they should be{how}"
            )))
        }
    }
}

fn line(session: &Session, violation: &Violation, mended: Option<&Mended>) -> String {
    let look = if violation.is_note() {
        Look::Faint
    } else {
        Look::Bad
    };
    let text = one_line(&violation.to_string(), usize::MAX);
    let text = session.out.paint(&text, look);
    match mended {
        Some(Mended::Done) => format!("{text}: mended"),
        Some(Mended::Gone) => format!("{text}: it is not so any more"),
        Some(Mended::Left { why }) => format!("{text}: left alone, {why}"),
        _ => text,
    }
}
