//! A function's role: its permissions are taken away and given back while the stack is up.

use jiff::Timestamp;
use serde_json::Value;
use url::form_urlencoded;

use super::Stack;
use super::sigv4::{self, Call, Keys};

const ROOT: Keys<'static> = Keys { id: "test", secret: "test" };

/// The permissions of a role: one of its inline policies.
#[derive(Clone, Debug)]
pub struct Policy {
    role: String,
    name: String,
    /// The policy document.
    pub document: Value,
}

impl Policy {
    /// The same policy without an action on the resources whose names hold `resource`. What is left of
    /// a statement stays.
    ///
    /// # Panics
    ///
    /// If no statement allows that.
    #[must_use]
    pub fn without(&self, action: &str, resource: &str) -> Self {
        let mut changed = self.clone();
        let mut found = false;
        let statements = changed.document["Statement"].as_array_mut().expect("statements");
        for statement in statements.iter_mut() {
            let named = list(&statement["Resource"]).any(|arn| arn.contains(resource));
            let allows = list(&statement["Action"]).any(|allowed| allowed == action);
            if named && allows {
                found = true;
                let rest = list(&statement["Action"]).filter(|allowed| *allowed != action);
                statement["Action"] = rest.map(str::to_owned).collect();
            }
        }
        statements.retain(|statement| list(&statement["Action"]).next().is_some());
        assert!(found, "{} does not allow {action} on {resource}", self.name);
        changed
    }
}

/// The texts of a value that is a text or a list of texts.
fn list(value: &Value) -> impl Iterator<Item = &str> {
    let single = value.as_str().into_iter();
    single.chain(value.as_array().into_iter().flatten().filter_map(Value::as_str))
}

impl Stack {
    /// The template's own permissions of the function that runs a binary.
    pub async fn policy(&self, binary: &str) -> Policy {
        let role = self.role(binary).await;
        let names = self.iam("ListRolePolicies", &[("RoleName", &role)]).await;
        let name = between(&names, "<member>", "</member>").to_owned();
        let named = [("RoleName", role.as_str()), ("PolicyName", name.as_str())];
        let answer = self.iam("GetRolePolicy", &named).await;
        let text = between(&answer, "<PolicyDocument>", "</PolicyDocument>").as_bytes();
        let (text, _) = form_urlencoded::parse(text).next().expect("a document");
        let document = serde_json::from_str(&text).expect("a policy document is JSON");
        Policy { role, name, document }
    }

    /// Gives a role these permissions.
    pub async fn put_policy(&self, policy: &Policy) {
        let Policy { role, name, document } = policy;
        let document = document.to_string();
        let changes = [("RoleName", role), ("PolicyName", name), ("PolicyDocument", &document)];
        let changes = changes.map(|(name, value)| (name, value.as_str()));
        self.iam("PutRolePolicy", &changes).await;
    }

    /// Invokes a function as a schedule does, and answers also what a failed one says.
    pub async fn try_invoke(&self, binary: &str, event: &Value) -> Value {
        let path = format!("/2015-03-31/functions/{}/invocations", self.function(binary));
        let body = event.to_string().into_bytes();
        let answer = self.signed_call("POST", "lambda", &path, body).await;
        serde_json::from_str(&answer).unwrap_or(Value::Null)
    }

    async fn role(&self, binary: &str) -> String {
        let path = format!("/2015-03-31/functions/{}/configuration", self.function(binary));
        let answer = self.signed_call("GET", "lambda", &path, Vec::new()).await;
        let answer: Value = serde_json::from_str(&answer).expect("Lambda answers JSON");
        let arn = answer["Role"].as_str().expect("a function has a role");
        arn.rsplit('/').next().unwrap_or_default().to_owned()
    }

    async fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", action).append_pair("Version", "2010-05-08");
        form.extend_pairs(parameters);
        self.signed_call("POST", "iam", "/", form.finish().into_bytes()).await
    }

    async fn signed_call(&self, method: &str, service: &str, path: &str, body: Vec<u8>) -> String {
        let host = self.is.aws_url.strip_prefix("http://").unwrap_or(&self.is.aws_url);
        let region = &self.is.region;
        let call = Call { method, host, path, body: &body, service, region };
        let (time, authorization) = sigv4::sign(ROOT, call, Timestamp::now());
        let method = method.parse().expect("an HTTP method");
        let request = self
            .http
            .request(method, format!("{}{path}", self.is.aws_url))
            .header("x-amz-date", time)
            .header("authorization", authorization)
            .header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(body).send().await.expect("the emulated AWS answers");
        let status = answer.status();
        let text = answer.text().await.expect("the emulated AWS answers text");
        assert!(status.is_success(), "{service} answered {status}: {text}");
        text
    }
}

/// The first text between two others; empty if it is not there.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let rest = text.split_once(begin).map_or("", |(_, rest)| rest);
    rest.split_once(end).map_or("", |(found, _)| found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_action_is_taken_from_the_named_resource_alone() {
        let allow =
            |action: Value, resource: Value| json!({ "Action": action, "Resource": resource });
        let policy = Policy {
            role: "r".into(),
            name: "p".into(),
            document: json!({ "Statement": [
                allow(json!(["x:Get", "x:Put"]), json!("arn:table/A")),
                allow(json!("x:Put"), json!(["arn:table/A", "arn:table/B"])),
                allow(json!(["x:Put"]), json!("arn:table/C")),
            ] }),
        };
        let rest = policy.without("x:Put", "table/A").document;
        let wanted = json!([
            allow(json!(["x:Get"]), json!("arn:table/A")),
            allow(json!(["x:Put"]), json!("arn:table/C")),
        ]);
        assert_eq!(rest["Statement"], wanted);
    }
}
