//! Files in an S3 bucket.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;

use crate::error::{Error, Result};

/// What came of reading a file.
pub enum Read {
    /// Its content. It may hold tokens: not to be printed.
    Content(Vec<u8>),
    /// There is no such file. Who may not list a bucket is told of that with a refusal.
    Absent,
    /// It is larger than allowed; its size in bytes.
    TooLarge(i64),
}

/// A bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
    name: String,
}

impl Bucket {
    /// The bucket by name.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into() }
    }

    /// Reads a file of at most `most` bytes.
    pub async fn read(&self, key: &str, most: usize) -> Result<Read> {
        let answer = match self.client.get_object().bucket(&self.name).key(key).send().await {
            Ok(answer) => answer,
            Err(error) => {
                return match error.code() {
                    Some("NoSuchKey" | "AccessDenied") => Ok(Read::Absent),
                    _ => Err(Error::aws("read a file")(error)),
                };
            }
        };
        let size = answer.content_length.unwrap_or(i64::MAX);
        if usize::try_from(size).is_ok_and(|size| size > most) {
            return Ok(Read::TooLarge(size));
        }
        let content = answer.body.collect().await.map_err(Error::aws("read a file"))?;
        Ok(Read::Content(content.to_vec()))
    }

    /// Writes a file, in place of one that is there.
    pub async fn write(&self, key: &str, content: Vec<u8>, content_type: &str) -> Result<()> {
        self.client
            .put_object()
            .bucket(&self.name)
            .key(key)
            .content_type(content_type)
            .body(ByteStream::from(content))
            .send()
            .await
            .map_err(Error::aws("write a file"))?;
        Ok(())
    }

    /// Deletes a file. One that is gone already is fine.
    pub async fn delete(&self, key: &str) -> Result<()> {
        self.client
            .delete_object()
            .bucket(&self.name)
            .key(key)
            .send()
            .await
            .map_err(Error::aws("delete a file"))?;
        Ok(())
    }
}
