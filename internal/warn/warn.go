// Package warn writes warnings that peers, or services that are down, can cause as often as they like: a
// flood of them must not become a flood of lines.
//
//	log := warn.New(slogger)
//	log.Warn("TLS_HANDSHAKE", "a TLS handshake failed", "remote", addr)
//
// # Invariants
//   - Of one cause at most one line is written per Period. The next line counts what was left out.
//   - What a Log keeps grows with the number of causes, which are constants of the caller, not with calls.
//   - Nothing is written while its lock is held.
//
// Cost: a lock, a look into a map and at the clock. Not for hot paths. Stability: internal, may change.
package warn

import (
	"log/slog"
	"sync"
	"time"
)

// Period is how often one cause is written about.
const Period = time.Second

// Log writes warnings. Safe for concurrent use.
type Log struct {
	log *slog.Logger // constant

	mu     sync.Mutex // guards causes; a leaf
	causes map[string]*cause
}

// cause is what is known of one kind of warning.
type cause struct {
	last    time.Time // when it was written about
	skipped int       // warnings since
}

// New returns a Log that writes to log; nil: nowhere.
func New(log *slog.Logger) *Log {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Log{log: log, causes: map[string]*cause{}}
}

// Warn writes message with args, keys and values in turn, unless cause was written about within Period. How
// often that has happened is added to the next line as alsoSince. Causes are few and fixed: they are never
// forgotten. args must not hold secrets.
func (l *Log) Warn(cause, message string, args ...any) {
	skipped, write := l.due(cause, time.Now())
	if !write {
		return
	}
	if skipped > 0 {
		args = append(args[:len(args):len(args)], "alsoSince", skipped)
	}
	l.log.Warn(message, args...)
}

// due reports whether to write about a cause, and how many warnings about it were not.
func (l *Log) due(name string, now time.Time) (skipped int, write bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.causes[name]
	if c == nil {
		c = &cause{}
		l.causes[name] = c
	}
	if now.Sub(c.last) < Period {
		c.skipped++
		return 0, false
	}
	skipped = c.skipped
	c.last, c.skipped = now, 0
	return skipped, true
}
