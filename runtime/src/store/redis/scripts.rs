//! The Lua scripts, and how they are called.

use std::fmt;

use fred::bytes::Bytes;
use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::ClientLike;
use fred::types::{CustomCommand, Resp3Frame, Value};
use fred::util::redis_keyslot;

use super::keys::Keys;

const COMMIT: &str = concat!(
    include_str!("lua/common.lua"),
    include_str!("lua/commit.lua"),
    "\nreturn commit(0, 0)\n"
);
const CLAIM: &str = concat!(
    include_str!("lua/common.lua"),
    include_str!("lua/claim.lua"),
    "\nreturn claim(0, 1, tonumber(ARGV[1]))\n"
);
const TURN: &str = concat!(
    include_str!("lua/common.lua"),
    include_str!("lua/commit.lua"),
    include_str!("lua/claim.lua"),
    "\nlocal keys, args = tonumber(ARGV[1]), tonumber(ARGV[2])
local done = commit(0, 3)
return { done, claim(keys, 3 + args, tonumber(ARGV[3])) }\n"
);
const RENEW: &str = concat!(
    include_str!("lua/common.lua"),
    include_str!("lua/renew.lua")
);
const TAKE_OVER: &str = concat!(
    include_str!("lua/common.lua"),
    include_str!("lua/claim.lua"),
    include_str!("lua/take_over.lua")
);

const PUSH: &str = concat!(include_str!("lua/common.lua"), include_str!("lua/push.lua"));
const LOOK: &str = include_str!("lua/look.lua");
const EXAMINE: &str = concat!(
    include_str!("lua/common.lua"),
    include_str!("lua/readable.lua"),
    include_str!("lua/examine.lua")
);
const UNREADABLE: &str = concat!(
    include_str!("lua/readable.lua"),
    include_str!("lua/unreadable.lua")
);

/// A script.
#[derive(Clone, Copy, Debug)]
pub(super) enum Script {
    /// KEYS and ARGV of `commit`.
    Commit,
    /// KEYS of `claim`; ARGV the number of queues, then those of `claim`.
    Claim,
    /// KEYS of `commit`, then of `claim`; ARGV the number of the keys and the arguments of `commit`, the number of queues, then
    /// the arguments of both.
    Turn,
    Renew,
    TakeOver,
    Look,
    Push,
    Examine,
    Unreadable,
}

const ALL: [(Script, &str); 9] = [
    (Script::Commit, COMMIT),
    (Script::Claim, CLAIM),
    (Script::Turn, TURN),
    (Script::Renew, RENEW),
    (Script::TakeOver, TAKE_OVER),
    (Script::Look, LOOK),
    (Script::Push, PUSH),
    (Script::Examine, EXAMINE),
    (Script::Unreadable, UNREADABLE),
];

/// The scripts as the server knows them.
pub(super) struct Scripts([Value; ALL.len()]);

impl Scripts {
    /// Gives the scripts to the server.
    pub(super) async fn load(client: &Client, keys: &Keys) -> Result<Self, Error> {
        let mut hashes = ALL.map(|_| Value::Null);
        for (hash, (_, text)) in hashes.iter_mut().zip(ALL) {
            let script = CustomCommand::new_static("SCRIPT", keys.slot(), false);
            *hash = client.custom(script, vec!["LOAD", text]).await?;
        }
        Ok(Self(hashes))
    }

    /// Calls a script; one that the server has lost is given to it again.
    pub(super) async fn call(
        &self,
        client: &Client,
        script: Script,
        keys: Vec<Bytes>,
        args: Vec<Value>,
    ) -> Result<Resp3Frame, Error> {
        // fred hashes the first argument of a custom command, whatever else it is told, but for a slot.
        let slot = keys.first().map(|key| redis_keyslot(key));
        let mut all = Vec::with_capacity(2 + keys.len() + args.len());
        all.push(self.0[script as usize].clone());
        all.push(Value::Integer(
            i64::try_from(keys.len()).unwrap_or(i64::MAX),
        ));
        all.extend(keys.into_iter().map(Value::Bytes));
        all.extend(args);
        let answer = eval(client, "EVALSHA", slot, all.clone()).await?;
        if !error_text(&answer).is_some_and(|error| error.starts_with("NOSCRIPT")) {
            return Ok(answer);
        }
        // Not loaded first: in a Cluster the keys may belong to another node by then, and only what names them is sent on.
        let (_, text) = ALL[script as usize];
        all[0] = Value::from_static_str(text);
        eval(client, "EVAL", slot, all).await
    }
}

async fn eval(
    client: &Client,
    command: &'static str,
    slot: Option<u16>,
    args: Vec<Value>,
) -> Result<Resp3Frame, Error> {
    let command = CustomCommand::new_static(command, slot, false);
    client.custom_raw(command, args).await
}

/// The text of an answer that is an error.
pub(super) fn error_text(frame: &Resp3Frame) -> Option<String> {
    match frame {
        Resp3Frame::SimpleError { data, .. } => Some(data.to_string()),
        Resp3Frame::BlobError { data, .. } => Some(String::from_utf8_lossy(data).into_owned()),
        _ => None,
    }
}

impl fmt::Debug for Scripts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripts")
    }
}
