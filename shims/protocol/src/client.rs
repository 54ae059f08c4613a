//! The shim's end of the connection.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::reply::read_reply;
use crate::{Error, Ran, Reply, Request, socket, sys};

/// A connection to a session. Dropping it, or dying, tells the session that the caller is gone.
pub struct Client {
    stream: UnixStream,
}

impl Client {
    /// Connects to the session that listens on this socket; its descriptor is none of 0, 1, 2 and is closed on exec.
    ///
    /// # Errors
    /// Nobody listens there, or not the same user as the caller.
    pub fn connect(socket: &Path) -> Result<Self, Error> {
        socket::check_private(socket)?;
        let mut stream = UnixStream::connect(socket)?;
        if stream.as_raw_fd() <= 2 {
            // `try_clone` never gives a standard descriptor
            stream = stream.try_clone()?;
        }
        if sys::peer_uid(&stream)? != sys::effective_uid() {
            return Err(Error::NotOurs);
        }
        Ok(Self { stream })
    }

    /// Sends a request and waits for the reply, as long as it takes.
    ///
    /// # Errors
    /// The session went away or does not speak this version.
    pub fn call(&mut self, request: &Request) -> Result<Reply, Error> {
        self.send(&request.to_frame()?)?;
        read_reply(&mut self.stream)
    }

    /// Says what the native run came to, and ends the connection.
    ///
    /// # Errors
    /// The session went away.
    pub fn report(self, ran: Ran) -> Result<(), Error> {
        Ok(self.send(&ran.to_frame()?)?)
    }

    /// Sends without ever raising SIGPIPE, which is left to mean what it means to the tool.
    fn send(&self, mut frame: &[u8]) -> io::Result<()> {
        while !frame.is_empty() {
            match sys::send(&self.stream, frame) {
                Ok(sent) => frame = frame.get(sent..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
