package auth

import (
	"errors"
	"io"
	"slices"
	"sync/atomic"
)

// Link is one Authenticator of a Chain.
type Link struct {
	Type string // as in the configuration: what Stats count it under
	Auth Authenticator
}

// Chain asks Authenticators in order until one has an opinion, for or against. If none has, the login
// is refused without data. Source: spec/auth.md §2.
type Chain struct {
	links  []Link
	counts []*tally // by link
}

// NewChain returns the Chain of links, which it owns from now on. Its judgements are counted in m.
func NewChain(m *Meter, links ...Link) *Chain {
	c := &Chain{links: links}
	for _, l := range links {
		c.counts = append(c.counts, m.tallyOf(l.Type))
	}
	return c
}

// Authenticate implements Authenticator.
func (c *Chain) Authenticate(r *Request, done func(Result)) { c.ask(0, r, done) }

// ask asks the i-th link and those behind it.
func (c *Chain) ask(i int, r *Request, done func(Result)) {
	if i == len(c.links) {
		done(Result{})
		return
	}
	c.links[i].Auth.Authenticate(r, func(result Result) {
		c.counts[i].add(result)
		if result.Unknown && !result.Valid {
			c.ask(i+1, r, done)
			return
		}
		done(result)
	})
}

// Close ends what the links keep running, such as the refreshing of keys. Attempts that are under way
// get their judgement.
func (c *Chain) Close() error {
	var errs []error
	for _, l := range c.links {
		if closer, ok := l.Auth.(io.Closer); ok {
			errs = append(errs, closer.Close())
		}
	}
	return errors.Join(errs...)
}

// Swappable is an Authenticator that can be replaced while clients log in: each attempt is judged by
// the one that was there when it began. It counts all attempts and bounds their size. All methods are
// safe for concurrent use.
type Swappable struct {
	current atomic.Pointer[Authenticator]
	totals  tally
	pending atomic.Int64
}

// NewSwappable returns one that asks a.
func NewSwappable(a Authenticator) *Swappable {
	s := &Swappable{}
	s.current.Store(&a)
	return s
}

// Use makes a judge all attempts from now on and returns who did so far. That one still has attempts
// under way, so that closing it must not disturb them.
func (s *Swappable) Use(a Authenticator) Authenticator { return *s.current.Swap(&a) }

// Current returns who judges now.
func (s *Swappable) Current() Authenticator { return *s.current.Load() }

// Authenticate implements Authenticator.
func (s *Swappable) Authenticate(r *Request, done func(Result)) {
	s.pending.Add(1)
	finish := func(result Result) {
		s.pending.Add(-1)
		s.totals.add(result)
		done(result)
	}
	if len(r.Data) > DataBytesMax {
		finish(Refusal("the authentication data is too large"))
		return
	}
	s.Current().Authenticate(r, finish)
}

// Types are those that a configuration may name.
var Types = []string{"none", "file", "http", "storage", "jwt"}

// Meter counts judgements by type, over all Chains that use it. Safe for concurrent use.
type Meter struct{ tallies []tally }

// NewMeter returns a Meter for Types.
func NewMeter() *Meter { return &Meter{tallies: make([]tally, len(Types))} }

// tallyOf returns the counters of a type; those of one that is not in Types are nobody's.
func (m *Meter) tallyOf(typ string) *tally {
	if i := slices.Index(Types, typ); i >= 0 {
		return &m.tallies[i]
	}
	return &tally{}
}

// tally counts judgements.
type tally struct{ valid, refused, unknown atomic.Uint64 }

func (t *tally) add(r Result) {
	switch {
	case r.Valid:
		t.valid.Add(1)
	case r.Unknown:
		t.unknown.Add(1)
	default:
		t.refused.Add(1)
	}
}

func (t *tally) load(typ string) TypeStats {
	return TypeStats{Type: typ, Valid: t.valid.Load(), Refused: t.refused.Load(), Unknown: t.unknown.Load()}
}

// TypeStats counts the judgements of one type since the start.
type TypeStats struct {
	Type    string
	Valid   uint64
	Refused uint64
	Unknown uint64 // no opinion: the next type was asked
}

// Stats is a snapshot of all authentication. The counters only grow.
type Stats struct {
	Successes, Failures uint64 // attempts that were decided
	Pending             int    // attempts that are not

	Types []TypeStats // in the order of Types, those without a judgement included

	Hashing  PoolStats // passwords and signatures
	Webhooks PoolStats // requests to http handlers
}

// Attempts returns how many there were.
func (s *Stats) Attempts() uint64 { return s.Successes + s.Failures + uint64(s.Pending) }

// Stats returns the totals of s, and m's by type. The pools are left to who has them.
func (s *Swappable) Stats(m *Meter) Stats {
	total := s.totals.load("")
	stats := Stats{Successes: total.Valid, Failures: total.Refused + total.Unknown, Pending: int(max(s.pending.Load(), 0))}
	for i, typ := range Types {
		stats.Types = append(stats.Types, m.tallies[i].load(typ))
	}
	return stats
}
