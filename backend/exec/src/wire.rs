//! What a slot and its owner say to each other: frames on a stream socket.
//!
//! Both ends are the same program, so there is no version; nothing here knows what is done with it.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use gg_store::{Identity, Vouched};
use gg_thunk::{Tag, Thunk, ValueName};

use crate::evidence::{Evidence, Made, RootKind, Usage};
use crate::slot::Limits;
use crate::status::Exit;

/// What a slot is told first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Setup {
    pub kind: RootKind,
    pub store: Vec<u8>,
    pub scratch: Vec<u8>,
    pub limits: Limits,
}

/// What a slot's owner says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Setup(Setup),
    /// Run a thunk; these objects, beside those told before, need not be hashed again.
    Run(Box<Thunk>, Vec<Vouched>),
    Cancel,
}

/// What a slot says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Ready,
    Refused(String),
    Ran(Box<Evidence>),
}

/// The longest frame that is believed: more is a stream out of step.
const MAX_FRAME: u64 = 4 << 30;

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a malformed frame")
}

/// Sends one frame.
pub(crate) fn send(stream: &mut impl Write, body: &[u8]) -> io::Result<()> {
    let mut head = (body.len() as u64).to_le_bytes().to_vec();
    if body.len() < 64 << 10 {
        head.extend_from_slice(body);
        return stream.write_all(&head);
    }
    stream.write_all(&head)?;
    stream.write_all(body)
}

/// Receives one frame; `None` when the other end is closed between frames.
pub(crate) fn receive(stream: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut head = [0; 8];
    let mut got = 0;
    while got < head.len() {
        match stream.read(&mut head[got..]) {
            Ok(0) if got == 0 => return Ok(None),
            Ok(0) => return Err(malformed()),
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
            Err(e) => return Err(e),
        }
    }
    let len = u64::from_le_bytes(head);
    if len > MAX_FRAME {
        return Err(malformed());
    }
    let mut body = Vec::new();
    stream.take(len).read_to_end(&mut body)?;
    if body.len() as u64 != len {
        return Err(malformed());
    }
    Ok(Some(body))
}

impl Order {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Out::default();
        match self {
            Order::Setup(setup) => {
                out.number(0);
                out.number(kind_number(setup.kind));
                out.bytes(&setup.store);
                out.bytes(&setup.scratch);
                out.number(setup.limits.pool_bytes);
            }
            Order::Run(thunk, vouched) => {
                out.number(1);
                out.bytes(&thunk.encode());
                out.number(vouched.len() as u64);
                for object in vouched {
                    out.vouched(object);
                }
            }
            Order::Cancel => out.number(2),
        }
        out.0
    }

    pub fn decode(body: &[u8]) -> io::Result<Order> {
        let mut input = In(body);
        match input.number()? {
            0 => Ok(Order::Setup(Setup {
                kind: kind_of(input.number()?)?,
                store: input.bytes()?.to_vec(),
                scratch: input.bytes()?.to_vec(),
                limits: Limits { pool_bytes: input.number()? },
            })),
            1 => {
                let thunk = Thunk::decode(input.bytes()?).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
                let count = input.number()?;
                let vouched = (0..count).map(|_| input.vouched()).collect::<io::Result<_>>()?;
                Ok(Order::Run(Box::new(thunk), vouched))
            }
            2 => Ok(Order::Cancel),
            _ => Err(malformed()),
        }
    }
}

impl Reply {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Out::default();
        match self {
            Reply::Ready => out.number(0),
            Reply::Refused(why) => {
                out.number(1);
                out.bytes(why.as_bytes());
            }
            Reply::Ran(evidence) => {
                out.number(2);
                out.evidence(evidence);
            }
        }
        out.0
    }

    pub fn decode(body: &[u8]) -> io::Result<Reply> {
        let mut input = In(body);
        match input.number()? {
            0 => Ok(Reply::Ready),
            1 => Ok(Reply::Refused(input.text()?)),
            2 => Ok(Reply::Ran(Box::new(input.evidence()?))),
            _ => Err(malformed()),
        }
    }
}

fn kind_number(kind: RootKind) -> u64 {
    match kind {
        RootKind::Namespaces => 0,
        RootKind::Chroot => 1,
        RootKind::Native => 2,
        RootKind::OverHost => 3,
    }
}

fn kind_of(number: u64) -> io::Result<RootKind> {
    match number {
        0 => Ok(RootKind::Namespaces),
        1 => Ok(RootKind::Chroot),
        2 => Ok(RootKind::Native),
        3 => Ok(RootKind::OverHost),
        _ => Err(malformed()),
    }
}

/// Numbers and byte strings, one after the other.
#[derive(Default)]
pub(crate) struct Out(pub Vec<u8>);

impl Out {
    pub fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub fn usage(&mut self, usage: &Usage) {
        let Usage { user_us, sys_us, wall_us, max_rss_kb, layout_us, collect_us } = *usage;
        for number in [user_us, sys_us, wall_us, max_rss_kb, layout_us, collect_us] {
            self.number(number);
        }
    }

    pub fn exit(&mut self, exit: &Result<Exit, String>) {
        match exit {
            Ok(Exit::Code(code)) => {
                self.number(0);
                self.number(u64::from(code.cast_unsigned()));
            }
            Ok(Exit::Signal(signal)) => {
                self.number(1);
                self.number(u64::from(signal.cast_unsigned()));
            }
            Err(why) => {
                self.number(2);
                self.bytes(why.as_bytes());
            }
        }
    }

    pub fn step(&mut self, step: Option<usize>) {
        self.number(step.map_or(0, |step| step as u64 + 1));
    }

    fn value_name(&mut self, name: &ValueName) {
        self.0.extend_from_slice(name.digest());
        self.number(name.len());
    }

    fn vouched(&mut self, object: &Vouched) {
        self.value_name(&object.name);
        let Identity { dev, ino, size, mtime_ns, ctime_ns } = object.identity;
        for number in [dev, ino, size] {
            self.number(number);
        }
        for time in [mtime_ns, ctime_ns] {
            self.0.extend_from_slice(&time.to_le_bytes());
        }
    }

    fn evidence(&mut self, evidence: &Evidence) {
        self.exit(&evidence.exit);
        self.step(evidence.failed_step);
        self.bytes(&evidence.stdout);
        self.bytes(&evidence.stderr);
        self.usage(&evidence.usage);
        self.number(evidence.outputs.len() as u64);
        for (tag, made) in &evidence.outputs {
            self.bytes(tag.as_str().as_bytes());
            self.value_name(&made.name);
            self.number(u64::from(made.mode));
        }
        self.number(evidence.missing.len() as u64);
        for tag in &evidence.missing {
            self.bytes(tag.as_str().as_bytes());
        }
        self.number(kind_number(evidence.kind));
        self.number(evidence.left_out.len() as u64);
        for what in &evidence.left_out {
            self.bytes(what.as_bytes());
        }
    }
}

/// Reads what [`Out`] wrote.
pub(crate) struct In<'a>(pub &'a [u8]);

impl<'a> In<'a> {
    fn take(&mut self, len: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or_else(malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn number(&mut self) -> io::Result<u64> {
        let bytes = self.take(8)?.try_into().map_err(|_| malformed())?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn small(&mut self) -> io::Result<u32> {
        u32::try_from(self.number()?).map_err(|_| malformed())
    }

    pub fn bytes(&mut self) -> io::Result<&'a [u8]> {
        let len = usize::try_from(self.number()?).map_err(|_| malformed())?;
        self.take(len)
    }

    pub fn text(&mut self) -> io::Result<String> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| malformed())
    }

    fn tag(&mut self) -> io::Result<Tag> {
        Tag::new(&self.text()?).map_err(|_| malformed())
    }

    pub fn usage(&mut self) -> io::Result<Usage> {
        Ok(Usage {
            user_us: self.number()?,
            sys_us: self.number()?,
            wall_us: self.number()?,
            max_rss_kb: self.number()?,
            layout_us: self.number()?,
            collect_us: self.number()?,
        })
    }

    pub fn exit(&mut self) -> io::Result<Result<Exit, String>> {
        match self.number()? {
            0 => Ok(Ok(Exit::Code(self.small()?.cast_signed()))),
            1 => Ok(Ok(Exit::Signal(self.small()?.cast_signed()))),
            2 => Ok(Err(self.text()?)),
            _ => Err(malformed()),
        }
    }

    pub fn step(&mut self) -> io::Result<Option<usize>> {
        let number = usize::try_from(self.number()?).map_err(|_| malformed())?;
        Ok(number.checked_sub(1))
    }

    fn value_name(&mut self) -> io::Result<ValueName> {
        let digest = self.take(32)?.try_into().map_err(|_| malformed())?;
        Ok(ValueName::new(digest, self.number()?))
    }

    fn time(&mut self) -> io::Result<i128> {
        Ok(i128::from_le_bytes(self.take(16)?.try_into().map_err(|_| malformed())?))
    }

    fn vouched(&mut self) -> io::Result<Vouched> {
        let name = self.value_name()?;
        let (dev, ino, size) = (self.number()?, self.number()?, self.number()?);
        Ok(Vouched { name, identity: Identity { dev, ino, size, mtime_ns: self.time()?, ctime_ns: self.time()? } })
    }

    fn evidence(&mut self) -> io::Result<Evidence> {
        let exit = self.exit()?;
        let failed_step = self.step()?;
        let stdout = self.bytes()?.to_vec();
        let stderr = self.bytes()?.to_vec();
        let usage = self.usage()?;
        let mut outputs = BTreeMap::new();
        for _ in 0..self.number()? {
            let tag = self.tag()?;
            let name = self.value_name()?;
            let mode = self.small()?;
            outputs.insert(tag, Made { name, mode });
        }
        let mut missing = Vec::new();
        for _ in 0..self.number()? {
            missing.push(self.tag()?);
        }
        let kind = kind_of(self.number()?)?;
        let mut left_out = Vec::new();
        for _ in 0..self.number()? {
            left_out.push(self.text()?);
        }
        Ok(Evidence { exit, failed_step, stdout, stderr, usage, outputs, missing, kind, left_out })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence() -> Evidence {
        let tag = |text| Tag::new(text).unwrap();
        let made = Made { name: ValueName::of(b"object"), mode: 0o755 };
        Evidence {
            exit: Ok(Exit::Signal(11)),
            failed_step: Some(1),
            stdout: vec![0, 255, b'x'],
            stderr: b"e".repeat(100_000),
            usage: Usage { user_us: 1, sys_us: 2, wall_us: 3, max_rss_kb: 4, layout_us: 5, collect_us: 6 },
            outputs: BTreeMap::from([(tag("o"), made)]),
            missing: vec![tag("d")],
            kind: RootKind::OverHost,
            left_out: vec!["/mnt: why".to_owned()],
        }
    }

    #[test]
    fn replies_come_back_as_they_were() {
        let refused = Reply::Refused("why".to_owned());
        for reply in [Reply::Ready, refused, Reply::Ran(Box::new(evidence()))] {
            let mut stream = Vec::new();
            send(&mut stream, &reply.encode()).unwrap();
            let body = receive(&mut &stream[..]).unwrap().unwrap();
            assert_eq!(Reply::decode(&body).unwrap(), reply);
        }
    }

    #[test]
    fn orders_come_back_as_they_were() {
        let nothing = Thunk {
            steps: vec![gg_thunk::Step { exe: b"/bin/true".to_vec(), argv: vec![b"true".to_vec()] }],
            env: BTreeMap::new(),
            cwd: b"/".to_vec(),
            umask: 0o022,
            root: gg_thunk::Tree::new().name(),
            outputs: Vec::new(),
        };
        let identity = Identity { dev: 1, ino: 2, size: 3, mtime_ns: -4, ctime_ns: i128::from(u64::MAX) + 5 };
        let vouched = Vouched { name: ValueName::of(b"object"), identity };
        for order in [Order::Run(Box::new(nothing), vec![vouched, vouched]), Order::Cancel] {
            let body = order.encode();
            assert_eq!(Order::decode(&body).unwrap(), order);
            assert!(Order::decode(&body[..body.len() - 1]).is_err());
        }
    }

    #[test]
    fn a_frame_cut_short_is_an_error() {
        let body = Reply::Ran(Box::new(evidence())).encode();
        for end in 0..body.len().min(400) {
            assert!(Reply::decode(&body[..end]).is_err(), "cut at {end}");
        }
        let mut stream = Vec::new();
        send(&mut stream, &body).unwrap();
        assert!(receive(&mut &stream[..stream.len() - 1]).is_err());
        assert!(receive(&mut &stream[..3]).is_err());
        assert!(receive(&mut &stream[..0]).unwrap().is_none());
    }
}
