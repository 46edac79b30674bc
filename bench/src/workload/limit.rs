//! What Redis itself can do: `redis-benchmark`.

use std::process::Command;

use crate::Result;
use crate::rig::Redis;

/// The bytes of a payload with an integer and a text of 100 bytes.
const PAYLOAD: &str = "230";

/// How many `LPUSH` a second so many clients bring about, each one at a time.
pub(crate) fn lpush(clients: u32, requests: u64) -> Result<f64> {
    let redis = Redis::start()?;
    let output = Command::new("redis-benchmark")
        .args([
            "-p",
            &redis.port().to_string(),
            "-t",
            "lpush",
            "-P",
            "1",
            "--csv",
        ])
        .args([
            "-c",
            &clients.to_string(),
            "-n",
            &requests.to_string(),
            "-d",
            PAYLOAD,
        ])
        .output()
        .map_err(|error| format!("redis-benchmark cannot be started: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let rate = text
        .lines()
        .find_map(|line| line.strip_prefix("\"LPUSH"))
        .and_then(|line| line.split("\",\"").nth(1))
        .ok_or_else(|| format!("redis-benchmark said {text:?}"))?;
    Ok(rate.parse()?)
}
