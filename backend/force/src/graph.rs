//! The thunks of one request and who waits for whom. Knows no store and no engine: it counts.

use std::collections::HashMap;
use std::sync::Arc;

use gg_store::Record;
use gg_thunk::{OutputName, Tag, Thunk, ThunkName, TreeName};

use crate::history::Kind;
use crate::outcome::Forced;

/// A node's place in the graph.
pub(crate) type NodeId = u32;

/// How far a thunk has come.
pub(crate) enum State {
    /// Its leaves are not known yet, or not all settled.
    Waiting,
    /// The reduced thunk waits for an engine, or runs on one.
    Running { reduced: ThunkName, root: TreeName, started: bool, handed_back: bool },
    /// It was run; some outputs stand for outputs of others, which are not all settled.
    Redirected(Box<Redirected>),
    /// It is done with.
    Settled(Arc<Forced>),
}

/// A thunk that made placeholders.
pub(crate) struct Redirected {
    pub forced: Forced,
    pub record: Arc<Record>,
    pub to: Vec<(Tag, OutputName)>,
}

/// A thunk of the request.
pub(crate) struct Node {
    pub name: ThunkName,
    /// The thunk, if it is at hand.
    pub thunk: Option<Arc<Thunk>>,
    /// Whether the caller handed it in, so that it need not be in the store.
    pub handed: bool,
    pub state: State,
    pub kind: Option<Kind>,
    /// Unsettled thunks that it waits for.
    pub pending: u32,
    /// Thunks that wait for it, while it is not settled.
    pub dependents: Vec<NodeId>,
    /// How long it is thought to take, in microseconds.
    pub cost_us: u64,
    /// That and what comes after it, along the longest path.
    pub path_us: u64,
}

/// What waits for what.
#[derive(Default)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
    by_name: HashMap<ThunkName, NodeId>,
}

impl Graph {
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    pub fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id as usize]
    }

    pub fn find(&self, name: &ThunkName) -> Option<&Node> {
        self.by_name.get(name).map(|id| self.node(*id))
    }

    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        (0..).zip(&self.nodes)
    }

    /// The node of this name, and whether it is new.
    pub fn add(&mut self, name: ThunkName, held: Option<Arc<Thunk>>) -> (NodeId, bool) {
        if let Some(id) = self.by_name.get(&name) {
            return (*id, false);
        }
        let id = self.nodes.len() as NodeId;
        self.nodes.push(Node {
            name,
            handed: held.is_some(),
            thunk: held,
            state: State::Waiting,
            kind: None,
            pending: 0,
            dependents: Vec::new(),
            cost_us: 0,
            path_us: 0,
        });
        self.by_name.insert(name, id);
        (id, true)
    }

    /// `waiting` waits for `needed`, which is not settled.
    pub fn wait(&mut self, waiting: NodeId, needed: NodeId) {
        let path_us = self.node(waiting).path_us;
        self.node_mut(waiting).pending += 1;
        let needed = self.node_mut(needed);
        needed.dependents.push(waiting);
        needed.path_us = needed.path_us.max(needed.cost_us.saturating_add(path_us));
    }

    /// Notes the cost of a node whose dependents are known as far as they are.
    pub fn set_cost(&mut self, id: NodeId, cost_us: u64) {
        let node = self.node(id);
        let after = node.path_us.saturating_sub(node.cost_us);
        let node = self.node_mut(id);
        node.cost_us = cost_us;
        node.path_us = after.saturating_add(cost_us);
    }

    /// For each unsettled node the nodes that it waits for.
    fn needs(&self) -> Vec<Vec<NodeId>> {
        let mut needs = vec![Vec::new(); self.nodes.len()];
        for (id, node) in self.iter() {
            for waiting in &node.dependents {
                needs[*waiting as usize].push(id);
            }
        }
        needs
    }

    /// Computes every longest path anew, now that more dependents are known.
    pub fn measure_paths(&mut self) {
        let needs = self.needs();
        let mut above: Vec<usize> = self.nodes.iter().map(|n| n.dependents.len()).collect();
        let mut after = vec![0u64; self.nodes.len()];
        let mut open: Vec<NodeId> = (0..).zip(&above).filter(|(_, n)| **n == 0).map(|(id, _)| id).collect();
        while let Some(id) = open.pop() {
            let path_us = after[id as usize].saturating_add(self.node(id).cost_us);
            self.node_mut(id).path_us = path_us;
            for needed in &needs[id as usize] {
                let place = *needed as usize;
                after[place] = after[place].max(path_us);
                above[place] -= 1;
                if above[place] == 0 {
                    open.push(*needed);
                }
            }
        }
    }

    /// A circle of unsettled nodes, each waiting for the next; to be asked when nothing runs.
    pub fn circle(&self) -> Option<Vec<NodeId>> {
        let needs = self.needs();
        let unsettled = |id: &NodeId| !matches!(self.node(*id).state, State::Settled(_));
        let mut path = Vec::new();
        let mut place = HashMap::new();
        let mut at = (0..self.nodes.len() as NodeId).find(unsettled)?;
        loop {
            if let Some(start) = place.insert(at, path.len()) {
                return Some(path.split_off(start));
            }
            path.push(at);
            at = *needs[at as usize].iter().find(|id| unsettled(id))?;
        }
    }
}
