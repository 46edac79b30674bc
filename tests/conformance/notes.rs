//! What is kept beside the jobs.
