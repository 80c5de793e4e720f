package session

import (
	"context"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"deepstream-fast/bulk"
	"deepstream-fast/engine"
	"deepstream-fast/event"
	"deepstream-fast/protocol"
)

// Topics with subscriptions, in the order of Sizes.Subscriptions.
const (
	TallyEvent = iota
	TallyRecord
	TallyRPC
	TallyPresence
	TallyTopics
)

// tallySpaces are the registry name spaces of these topics.
var tallySpaces = [TallyTopics]string{
	string(event.Space), string(recordSpace), string(rpcSpace), string(presenceSpace) + string(presenceAllSpace),
}

// FanoutBuckets is the number of places of Counts.Fanouts. The i-th counts up to 4^i recipients, the
// last one all that are more.
const FanoutBuckets = 12

// Counts only grow. Each is a table by topic and action.
type Counts struct {
	Received  [protocol.Kinds]uint64 // messages of logged-in clients that were handed to their topic
	Refused   [protocol.Kinds]uint64 // of these, those of which permissions let nothing pass
	Sent      [protocol.Kinds]uint64 // messages and acks for a single connection
	Delivered [protocol.Kinds]uint64 // recipients of what goes to all subscribers of a name
	Denied    [protocol.Kinds]uint64 // names of requests answered with MESSAGE_DENIED
	Failed    [protocol.Kinds]uint64 // names of requests answered with MESSAGE_PERMISSION_ERROR

	Fanouts [FanoutBuckets]uint64 // publications to subscribers on one loop, by their number

	CacheHits, CacheMisses, CacheEvictions      uint64
	RecordsRefused, RecordTimeouts, RecordsLost uint64
	CallsRefused                                uint64
	GateOverflows                               uint64 // decisions that failed for want of room to wait
}

// Sizes are what is there now.
type Sizes struct {
	Subscriptions [TallyTopics]int  // of connections to names
	Patterns      [listenTopics]int // distinct, of events and records
	Provided      [listenTopics]int // names with an active listener
	Users         int               // online
	Calls         int               // open
	Pending       int               // requests about records, loads and saves that are not done
	CacheRecords  int
	CacheBytes    int64
	Waiting       int // messages that wait for permission
	WaitingBytes  int // that these take, with what is held behind them
	Deciding      int // decisions that wait for records
}

// Tally is the sum over the loops.
type Tally struct {
	Counts
	Sizes
	Names  [TallyTopics]int // with subscribers
	Silent []int            // loops that did not answer in time: their numbers are those of the last time
}

// tally counts what one loop does. It is plain memory of that loop: nobody else touches it, so that
// counting is one addition without a lock or a shared cache line. See Node.Tally for how it is read.
type tally struct {
	Counts
	refusals uint64 // names refused so far by this loop, not by homes
}

// sent notes a message for one connection. Hot path: 0 allocs, see BenchmarkTally.
func (t *tally) sent(m *protocol.Message) {
	t.Sent[protocol.KindOf(m.Topic, m.Action)%protocol.Kinds]++
	if m.IsError && t.verdict(m) {
		t.refusals++
	}
}

// answered is sent for what a record's home has decided, which counts a refusal by itself: see refusedAt.
func (t *tally) answered(m *protocol.Message) {
	t.Sent[protocol.KindOf(m.Topic, m.Action)%protocol.Kinds]++
	if m.IsError {
		t.verdict(m)
	}
}

// unheard notes a message for a connection that is gone.
func (t *tally) unheard(m *protocol.Message) {
	if m.IsError && verdicts[protocol.KindOf(m.Topic, m.Action)] != verdictNone {
		t.refusals++
	}
}

// delivered notes a publication to n subscribers of this loop. Hot path: 0 allocs, see BenchmarkTally.
func (t *tally) delivered(about protocol.Kind, n int) {
	if n > 0 {
		t.Delivered[about%protocol.Kinds] += uint64(n)
		t.Fanouts[fanoutBucket(n)]++
	}
}

// fanoutBucket returns the place of n recipients, at least one, in Counts.Fanouts.
func fanoutBucket(n int) int { return min((bits.Len(uint(n-1))+1)/2, FanoutBuckets-1) }

// Verdicts of permissions, as answers tell them.
const (
	verdictNone = iota
	verdictDenied
	verdictFailed
)

// verdicts tells for every answer whether it is one.
var verdicts = func() (v [protocol.Kinds]uint8) {
	for _, t := range []*bulk.Topic{event.Table(), &recordTable, &rpcTable, &presenceTable} {
		v[protocol.KindOf(t.Topic, t.Denied)] = verdictDenied
		v[protocol.KindOf(t.Topic, t.Failed)] = verdictFailed
	}
	return v
}()

// verdict counts an answer that says that something went wrong, if it is that of a permission.
func (t *tally) verdict(m *protocol.Message) bool {
	asked := protocol.KindOf(m.Topic, m.OriginalAction)
	switch verdicts[protocol.KindOf(m.Topic, m.Action)] {
	case verdictDenied:
		t.Denied[asked]++
	case verdictFailed:
		t.Failed[asked]++
	default:
		return false
	}
	return true
}

// received notes a message that its topic has dealt with; before is what refusals was until then. What
// a home refuses later is added when it does. Hot path: 0 allocs, see BenchmarkTally.
func (t *tally) received(m *protocol.Message, before uint64) {
	t.Received[protocol.KindOf(m.Topic, m.Action)%protocol.Kinds]++
	if t.refusals != before {
		t.passed(m, t.refusals-before)
	}
}

// passed notes a message of which some names were refused, all of them perhaps.
func (t *tally) passed(m *protocol.Message, refused uint64) {
	if refused >= uint64(max(m.Names.Len(), 1)) {
		t.refusedWhole(m)
	}
}

// refusedWhole notes a message of which nothing was let pass.
func (t *tally) refusedWhole(m *protocol.Message) {
	t.Refused[protocol.KindOf(m.Topic, m.Action)]++
}

// refusedAt returns what a home calls if it refuses m, which has one name. The home is that of loop at.
func refusedAt(at *Loop, m *protocol.Message) func() {
	kind := protocol.KindOf(m.Topic, m.Action)
	return func() { at.tally.Refused[kind]++ }
}

// refusedNames counts the names of a list that are refused, by the sender's loop or by the homes of the
// names. When that is all of them, nothing of the message was let pass. Safe for concurrent use.
type refusedNames struct {
	kind protocol.Kind // constant
	left atomic.Int64  // names that are not refused
}

func newRefusedNames(m *protocol.Message) *refusedNames {
	r := &refusedNames{kind: protocol.KindOf(m.Topic, m.Action)}
	r.left.Store(int64(m.Names.Len()))
	return r
}

// add notes n names that the loop of t refuses.
func (r *refusedNames) add(t *tally, n int) {
	if n > 0 && r.left.Add(-int64(n)) == 0 {
		t.Refused[r.kind]++
	}
}

// refuses returns what the home of this loop calls if it refuses one of those names.
func (l *Loop) refuses(names *refusedNames) func() {
	return func() { names.add(&l.tally, 1) }
}

// add adds the numbers of one loop. Patterns are known to every loop, so those of one stand for all.
func (t *Tally) add(o *Tally) {
	for _, p := range []struct{ sum, one *[protocol.Kinds]uint64 }{
		{&t.Received, &o.Received}, {&t.Refused, &o.Refused}, {&t.Sent, &o.Sent},
		{&t.Delivered, &o.Delivered}, {&t.Denied, &o.Denied}, {&t.Failed, &o.Failed},
	} {
		for i, n := range p.one {
			p.sum[i] += n
		}
	}
	for i, n := range o.Fanouts {
		t.Fanouts[i] += n
	}
	t.CacheHits += o.CacheHits
	t.CacheMisses += o.CacheMisses
	t.CacheEvictions += o.CacheEvictions
	t.RecordsRefused += o.RecordsRefused
	t.RecordTimeouts += o.RecordTimeouts
	t.RecordsLost += o.RecordsLost
	t.CallsRefused += o.CallsRefused
	t.GateOverflows += o.GateOverflows
	for i, n := range o.Subscriptions {
		t.Subscriptions[i] += n
	}
	for i := range o.Patterns {
		t.Patterns[i] = max(t.Patterns[i], o.Patterns[i])
		t.Provided[i] += o.Provided[i]
	}
	t.Users += o.Users
	t.Calls += o.Calls
	t.Pending += o.Pending
	t.CacheRecords += o.CacheRecords
	t.CacheBytes += o.CacheBytes
	t.Waiting += o.Waiting
	t.WaitingBytes += o.WaitingBytes
	t.Deciding += o.Deciding
}

// census fills t with the numbers of this loop. Cost: a few microseconds, whatever the loop holds.
func (l *Loop) census(t *Tally) {
	t.Counts = l.tally.Counts
	t.Sizes = Sizes{Pending: l.records.pending()}
	for i, spaces := range tallySpaces {
		for _, space := range []byte(spaces) {
			t.Subscriptions[i] += l.subs.LenOf(space)
		}
	}
	for i, home := range l.listen {
		s := home.Stats()
		t.Patterns[i], t.Provided[i] = s.Patterns, s.Provided()
	}
	if l.presence != nil {
		t.Users = l.presence.Len()
	}
	calls := l.rpc.Stats()
	t.Calls, t.CallsRefused = calls.Calls, calls.Refused
	requests := l.records.home.Stats()
	t.RecordsRefused, t.RecordTimeouts, t.RecordsLost = requests.Refused, requests.Timeouts, requests.Lost
	kept := l.records.cache.Stats()
	t.CacheHits, t.CacheMisses, t.CacheEvictions = kept.Hits, kept.Misses, kept.Evictions
	t.CacheRecords, t.CacheBytes = l.records.cache.Len(), l.records.cache.Bytes()
	t.GateOverflows, t.Waiting, t.WaitingBytes, t.Deciding = l.gate.overflows, l.gate.waiting, l.gate.bytes, l.gate.inquiries
}

// census is how loops are asked for their numbers: by mail, since the numbers are theirs alone.
type census struct {
	mu     sync.Mutex // guards flight; a leaf
	flight *flight    // under way, nil: none

	loops []loopCensus // owned by whoever began the flight
}

// flight is one round of questions, whose result is for all who asked meanwhile.
type flight struct {
	done chan struct{} // closed when sum is there
	sum  *Tally
}

// loopCensus is what is known of one loop.
type loopCensus struct {
	last    Tally
	asked   bool // and has not answered yet: a loop that hangs is not sent more and more mail
	answers chan *Tally
}

// Tally returns the sum of all loops' numbers. It asks them and waits until all have answered or patience
// is over; a loop that is late is named in Silent. Who calls while others wait gets the same answer,
// which nobody may change. Safe for concurrent use by any goroutine but a loop's.
func (n *Node) Tally(patience time.Duration) *Tally {
	c := &n.census
	c.mu.Lock()
	f := c.flight
	first := f == nil
	if first {
		f = &flight{done: make(chan struct{})}
		c.flight = f
	}
	c.mu.Unlock()
	if !first {
		<-f.done
		return f.sum
	}
	f.sum = n.takeCensus(patience)
	c.mu.Lock()
	c.flight = nil
	c.mu.Unlock()
	close(f.done)
	return f.sum
}

func (n *Node) takeCensus(patience time.Duration) *Tally {
	c := &n.census
	if c.loops == nil {
		c.loops = make([]loopCensus, len(n.loops))
		for i := range c.loops {
			c.loops[i].answers = make(chan *Tally, 1)
		}
	}
	for i, l := range n.loops {
		c.loops[i].ask(l)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	sum := &Tally{}
	for i := range c.loops {
		if !c.loops[i].await(ctx) {
			sum.Silent = append(sum.Silent, i)
		}
		sum.add(&c.loops[i].last)
	}
	for i, spaces := range tallySpaces {
		for _, space := range []byte(spaces) {
			sum.Names[i] += n.table.Names(space)
		}
	}
	return sum
}

// ask sends for the numbers of l, unless that was done and not answered.
func (c *loopCensus) ask(l *Loop) {
	if l == nil { // the engine is still starting
		return
	}
	if c.asked {
		select {
		case <-c.answers: // to a question that was given up: it may be old
			c.asked = false
		default:
			return
		}
	}
	c.asked = true
	l.eng.PostSelf(engine.Mail{Kind: mailCall, Body: func(l *Loop) {
		t := &Tally{}
		l.census(t)
		c.answers <- t // there is room: one question at a time
	}})
}

// await takes the answer, or reports that there is none before ctx ends.
func (c *loopCensus) await(ctx context.Context) bool {
	if !c.asked {
		return false
	}
	select {
	case t := <-c.answers:
		c.last, c.asked = *t, false
		return true
	case <-ctx.Done():
		return false
	}
}
