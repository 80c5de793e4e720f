package valve

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"deepstream-fast/permission"
	"deepstream-fast/protocol"
)

// roundsDefault is maxRuleIterations if nothing else is set.
const roundsDefault = 3

// Options configures a Checker. Zero values stand for the defaults.
type Options struct {
	RoundsMax int              // evaluations of one decision while records load, at least 1; 0: 3
	Log       *slog.Logger     // nil: nothing is logged
	Now       func() time.Time // nil: time.Now
}

// Checker decides by one set of rules. It implements permission.Inquirer.
type Checker struct {
	// Set by New or With, then constant.
	opts  Options
	rules *Rules

	*counters
}

// counters are shared by a Checker and those that With makes of it. Safe from any goroutine.
type counters struct {
	log        limiter
	denied     atomic.Uint64
	failed     atomic.Uint64
	inquiries  atomic.Uint64
	loads      atomic.Uint64
	loadErrors atomic.Uint64
	changes    atomic.Uint64
}

// Stats counts what a Checker decided. Allowed questions are not counted: they are the hot path.
type Stats struct {
	Rules         int    // in force
	Denied        uint64 // by a rule, or because there was none
	Failed        uint64 // rules that could not be evaluated
	Inquiries     uint64 // decisions that needed records
	Loads         uint64 // records asked for
	LoadErrors    uint64 // of those, not readable
	Changes       uint64 // calls of With
	LogSuppressed uint64 // messages not written because there were too many
}

// New returns a Checker that decides by rules.
func New(rules *Rules, opts Options) *Checker {
	if opts.RoundsMax < 1 {
		opts.RoundsMax = roundsDefault
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Checker{opts: opts, rules: rules, counters: &counters{}}
}

// With returns a Checker for other rules that goes on counting where c is. c may be used further.
func (c *Checker) With(rules *Rules) *Checker {
	c.changes.Add(1)
	return &Checker{opts: c.opts, rules: rules, counters: c.counters}
}

// MayPend implements permission.Inquirer.
func (c *Checker) MayPend(topic protocol.Topic, action protocol.Action) bool {
	k := kindOf(topic, action)
	return k != noRule && c.rules.kinds[k].reaches
}

// Stats returns the counters.
func (c *Checker) Stats() Stats {
	return Stats{
		Rules:  c.rules.Len(),
		Denied: c.denied.Load(), Failed: c.failed.Load(),
		Inquiries: c.inquiries.Load(), Loads: c.loads.Load(), LoadErrors: c.loadErrors.Load(),
		Changes: c.changes.Load(), LogSuppressed: c.log.suppressed.Load(),
	}
}

// Check implements permission.Checker. It answers Pending if the rule reaches a record, which Inquire then
// goes on about. Hot path: 0 allocs for rules without text or arrays of their own, see BenchmarkCheck.
func (c *Checker) Check(q *permission.Question) permission.Answer {
	k := kindOf(q.Topic, q.Action)
	if k == noRule {
		return permission.Allow
	}
	r := run{q: q, opts: &c.opts}
	r.rule = c.rules.find(k, q.Name, &r.vars)
	switch {
	case r.rule == nil:
		return c.deny(&r)
	case r.rule.constant && r.rule.answer == permission.Allow:
		return permission.Allow
	case r.rule.constant:
		return c.deny(&r)
	case c.opts.RoundsMax == 1 && r.rule.uses.loadsAtOnce(q):
		return permission.Pending // and then Failed: there is no second round
	}
	v := r.eval(r.rule.root)
	if r.reached {
		return permission.Pending
	}
	return c.conclude(&r, v)
}

// loadsAtOnce reports whether a rule loads the record that q is about in its first round.
func (u uses) loadsAtOnce(q *permission.Question) bool { return u.oldData || u.data && isPatch(q) }

// conclude turns the result of a run into an answer, counts it, and logs what an operator should know.
func (c *Checker) conclude(r *run, v value) permission.Answer {
	switch {
	case v.failed():
		c.failed.Add(1)
		c.logFailure(r)
		return permission.Failed
	case v.kind != kindBool && !r.rule.nonBoolean.Swap(true):
		c.logNonBoolean(r, v)
	}
	if v.truthy() {
		return permission.Allow
	}
	return c.deny(r)
}

// deny counts, and tells those who debug.
func (c *Checker) deny(r *run) permission.Answer {
	c.denied.Add(1)
	if c.opts.Log.Enabled(context.Background(), slog.LevelDebug) {
		c.logDenial(r)
	}
	return permission.Deny
}

func (c *Checker) logDenial(r *run) {
	at := "no rule applies"
	if r.rule != nil {
		at = r.rule.where(nil)
	}
	c.opts.Log.Debug("denied", "event", "MESSAGE_DENIED", "namespace", namespace, "at", at,
		"name", string(r.q.Name), "action", r.q.Action.Name(r.q.Topic), "user", r.q.User.ID)
}

// event and namespace of what is logged here, as in the official server.
const (
	namespace    = "PERMISSION"
	eventFailed  = "MESSAGE_PERMISSION_ERROR"
	eventLoad    = "RECORD_LOAD_ERROR"
	eventInvalid = "INVALID_CONFIG_DATA"
)

func (c *Checker) logFailure(r *run) {
	now := c.opts.Now()
	if !c.log.allow(now) {
		return
	}
	c.opts.Log.Warn("permission rule failed: "+reasonTexts[r.failure.why], "event", eventFailed, "namespace", namespace,
		"rule", r.rule.text, "kind", r.rule.kind.String(), "path", r.rule.path, "at", r.rule.where(r.failure.node),
		"name", string(r.q.Name), "action", r.q.Action.Name(r.q.Topic), "user", r.q.User.ID)
}

// logNonBoolean is called once for each rule.
func (c *Checker) logNonBoolean(r *run, v value) {
	verdict := "denies"
	if v.truthy() {
		verdict = "allows"
	}
	c.opts.Log.Warn("permission rule has a result of type "+v.typeName()+", which "+verdict+"; write a comparison",
		"event", eventInvalid, "namespace", namespace, "rule", r.rule.text, "kind", r.rule.kind.String(), "path", r.rule.path,
		"at", r.rule.where(nil))
}

// where returns file, line and column of n, or of the rule.
func (r *rule) where(n *node) string {
	if n == nil {
		return r.at.at(0).String()
	}
	return r.at.at(n.from).String()
}

// logsPerSecond bounds what failing rules may write.
const logsPerSecond = 10

// limiter lets logsPerSecond messages pass in every second.
type limiter struct {
	second     atomic.Int64
	count      atomic.Int64
	suppressed atomic.Uint64
}

// allow reports whether a message may pass. Around the turn of a second some more may: what counts is
// that there is a bound.
func (l *limiter) allow(now time.Time) bool {
	second := now.Unix()
	if old := l.second.Load(); old != second && l.second.CompareAndSwap(old, second) {
		l.count.Store(0)
	}
	if l.count.Add(1) <= logsPerSecond {
		return true
	}
	l.suppressed.Add(1)
	return false
}
