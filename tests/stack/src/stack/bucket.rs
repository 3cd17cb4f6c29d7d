//! Files in the stack's buckets, and invocations that may fail.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use serde_json::Value;

use super::Stack;
use super::sigv4::{self, Call, Keys};

const ROOT: Keys<'static> = Keys { id: "test", secret: "test" };
/// Longer than any function may last.
const PATIENCE: Duration = Duration::from_secs(200);

impl Stack {
    /// Puts a file into a bucket, by the bucket's name in the template.
    pub async fn put_file(&self, bucket: &str, key: &str, content: &str) {
        let path = self.path(bucket, key);
        let (status, answer) = self.raw(Method::PUT, "s3", &path, content.into()).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// A file of a bucket, if it is there.
    pub async fn file(&self, bucket: &str, key: &str) -> Option<String> {
        let (status, text) =
            self.raw(Method::GET, "s3", &self.path(bucket, key), String::new()).await;
        assert!([200, 404].contains(&status), "{status} {text}");
        (status == 200).then_some(text)
    }

    /// Invokes a function that may last long, or die; null when it gave no answer.
    pub async fn invoke_long(&self, binary: &str, event: &Value) -> Value {
        let path = format!("/2015-03-31/functions/{}/invocations", self.function(binary));
        let (_, answer) = self.raw(Method::POST, "lambda", &path, event.to_string()).await;
        serde_json::from_str(&answer).unwrap_or(Value::Null)
    }

    fn path(&self, bucket: &str, key: &str) -> String {
        let bucket = self.is.buckets.get(bucket).expect("the template has no such bucket");
        format!("/{bucket}/{key}")
    }

    async fn raw(&self, method: Method, service: &str, path: &str, body: String) -> (u16, String) {
        let host = self.is.aws_url.strip_prefix("http://").unwrap_or(&self.is.aws_url);
        let region = &self.is.region;
        let body = body.into_bytes();
        let call = Call { method: method.as_str(), host, path, body: &body, service, region };
        let (time, authorization) = sigv4::sign(ROOT, call, Timestamp::now());
        let request = self
            .http
            .request(method, format!("{}{path}", self.is.aws_url))
            .timeout(PATIENCE)
            .header("x-amz-date", time)
            .header("authorization", authorization);
        let answer = request.body(body).send().await.expect("the emulated AWS answers");
        (answer.status().as_u16(), answer.text().await.unwrap_or_default())
    }
}
