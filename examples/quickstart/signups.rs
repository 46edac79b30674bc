//! Reading the sign-ups.

use std::path::Path;

use serde::Deserialize;

/// A row that can be worked with.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SignUp {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) plan: String,
}

/// A row that cannot.
pub(crate) struct Refused {
    pub(crate) line: u64,
    pub(crate) why: String,
}

impl SignUp {
    /// What the job's id is derived from: the same row gives the same job.
    pub(crate) fn key(&self) -> String {
        format!("{}\n{}\n{}", self.name, self.email, self.plan)
    }

    fn check(&self) -> Result<(), String> {
        if self.name.is_empty() {
            return Err("the name is empty".into());
        }
        if self.email.parse::<lettre::Address>().is_err() {
            return Err(format!("{:?} is no mail address", self.email));
        }
        if !["free", "team", "business"].contains(&self.plan.as_str()) {
            return Err(format!("there is no plan {:?}", self.plan));
        }
        Ok(())
    }
}

/// The rows of `signups.csv`.
pub(crate) fn read() -> Result<(Vec<SignUp>, Vec<Refused>), csv::Error> {
    let (mut sign_ups, mut refused) = (Vec::new(), Vec::new());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("quickstart/signups.csv");
    let mut rows = csv::ReaderBuilder::new().from_path(file)?.into_records();
    while let Some(row) = rows.next() {
        let line = rows.reader().position().line() - 1;
        let sign_up = row.and_then(|row| {
            row.deserialize::<SignUp>(Some(&csv::StringRecord::from(vec![
                "name", "email", "plan",
            ])))
        });
        match sign_up
            .map_err(|error| error.to_string())
            .and_then(|sign_up| sign_up.check().map(|()| sign_up))
        {
            Ok(sign_up) => sign_ups.push(sign_up),
            Err(why) => refused.push(Refused { line, why }),
        }
    }
    Ok((sign_ups, refused))
}
