package auth

import (
	"log/slog"
	"sync"
	"time"
)

// warnPeriod is how often one cause is logged: a flood of attempts must not become a flood of lines.
const warnPeriod = time.Second

// Reporter writes warnings that an attempt can cause, at most one per cause and second. What it leaves
// out it counts in the next line. Safe for concurrent use.
type Reporter struct {
	log *slog.Logger

	mu     sync.Mutex // guards causes; a leaf
	causes map[string]*cause
}

type cause struct {
	last    time.Time
	skipped int
}

// NewReporter returns a Reporter that writes to log; nil: nowhere.
func NewReporter(log *slog.Logger) *Reporter {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Reporter{log: log, causes: map[string]*cause{}}
}

// Warn writes message as an AUTH_ERROR. The causes are few and fixed; args must not hold credentials.
func (r *Reporter) Warn(causeName, message string, args ...any) {
	skipped, write := r.due(causeName, time.Now())
	if !write {
		return
	}
	args = append([]any{"event", "AUTH_ERROR"}, args...)
	if skipped > 0 {
		args = append(args, "alsoSince", skipped)
	}
	r.log.Warn(message, args...)
}

func (r *Reporter) due(name string, now time.Time) (skipped int, write bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.causes[name]
	if c == nil {
		c = &cause{}
		r.causes[name] = c
	}
	if now.Sub(c.last) < warnPeriod {
		c.skipped++
		return 0, false
	}
	skipped = c.skipped
	c.last, c.skipped = now, 0
	return skipped, true
}
