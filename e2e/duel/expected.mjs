// The differences that are meant. Each names what docs/compatibility.md or, by its Q number, the list of official faults
// says about it; compare.mjs says how an entry matches. One that matches nothing any more fails the run as well, unless
// it depends on luck (`sometimes`).

const ANY = [/./]
const gone = [/dies$/]

export const EXPECTED = [
  { script: 'records: a path through null', client: 'server', official: gone, why: 'Q1: a path through null ends the official process' },

  { script: 'records: an erase of what is not there', official: ['ack resolves undefined', 'has resolves true'],
    ours: ['ack rejects "RECORD_UPDATE_ERROR"', /^error RECORD RECORD_UPDATE_ERROR /, 'has resolves false'],
    why: 'Q23: an acknowledged write creates the record; the rest follows from it' },

  { script: 'records: keys that are special in JavaScript', step: /^set /, official: ['ack resolves undefined'], ours: ['ack rejects "INVALID_MESSAGE_DATA"'],
    why: 'Records: prototype, constructor and __proto__ are no keys of a path (nor in official versions from 10.0.5 on)' },
  { script: 'records: keys that are special in JavaScript', step: /^read /, official: ANY, ours: ['snapshot rejects "RECORD_NOT_FOUND"'],
    why: 'the same: nothing was written' },
  { script: 'records: keys that are special in JavaScript', client: 'server', official: ['is broken'],
    why: 'the same: a path through __proto__ changes the prototype of all objects of the official server' },

  { script: 'records: notify', official: ['r/notify delete', 'has resolves false'], ours: ['r/notify is {"n":1}', 'has resolves true'],
    why: 'Q41: NOTIFY deletes what only the cache has' },
  { script: 'records: notify of no names', official: ['notify is still open'], ours: ['notify resolves undefined'], why: 'Q41: NOTIFY without names is not answered' },

  { script: /^conflicts: .*, an acknowledged write$/, official: ['ack is still open'], ours: ['ack rejects "RECORD_UPDATE_ERROR"'],
    why: 'Records: a conflict leaves the promise of an acknowledged write open' },
  { script: /^conflicts: (LOCAL_WINS|a function that merges), three writes$/, official: ANY, ours: ANY, sometimes: true,
    why: 'Q40: a conflict during a load is answered with the state before the queue; what the client makes of it follows. ' +
      'With a strategy that answers later, after the load, there is no difference' },

  { script: 'rpc: the provider closes before it answers', official: ['call rejects "ACCEPT_TIMEOUT"'], ours: ['call rejects "NO_RPC_PROVIDER"'],
    why: 'Q45: a provider\'s close is noticed by timers' },

  { script: /^presence.*: who is there$/, step: 'by name', official: [/"constructor":false}$/], ours: [/"constructor":false,"__proto__":false}$/],
    why: 'Presence: a user called __proto__ is missing from the answer' },

  { script: /^listen: .*: a late answer$/, step: 'pro accepts', ours: [/^pro stops /], why: 'Remarks, listen.md §5: a late ACCEPT is answered with REMOVED' },
  { script: /^listen: .*: the subscriber leaves while somebody is asked$/, ours: [/^pro stops /, /^pro is asked for /],
    why: 'Q31: an ACCEPT after the last subscriber makes a phantom' },
  { script: 'listen: event: patterns', official: [/^error EVENT INVALID_LISTEN_REGEX message {"name":"[^"]+"}$/],
    ours: [/^error EVENT INVALID_LISTEN_REGEX message {"name":"[^"]+","isError":true}$/], why: 'Q20: INVALID_LISTEN_REGEX without isError' },
  { script: 'listen: record: patterns', official: ['error RECORD UNSOLICITED_MESSAGE undefined'], ours: [/^error RECORD INVALID_LISTEN_REGEX /],
    why: 'Q20: INVALID_LISTEN_REGEX without isError, so that the client does not name the cause' },

  { script: 'http: a version that is too high', official: [/Version 1 is not valid/], ours: [/Version 9 is not valid/],
    why: 'HTTP: the text names the version the record has; from 10 on it is the one that was sent' },

  { script: 'permissions: several names in one message, some denied', official: ['p3 rejects "NO_RPC_PROVIDER"'], ours: ['three "three"', 'p3 resolves "p3"'],
    why: 'Q2: a denial removes the last name instead of the denied one' },

  { script: 'http-guarded: rules', step: /typed\/h.*"price":1/, official: [/Action 'emit' is not permitted/], ours: [/SUCCESS/, 'typed {"price":1}'],
    why: 'HTTP: rules about data deny every event that comes by HTTP' }
]
