package engine

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// limitedLog writes warnings that a peer can cause, at most one per cause and second: a flood of
// them must not become a flood of lines. What it leaves out it counts in the next line.
type limitedLog struct {
	log *slog.Logger

	mu     sync.Mutex // guards causes; a leaf
	causes map[string]*cause
}

type cause struct {
	last    time.Time
	skipped int
}

func newLimitedLog(log *slog.Logger) *limitedLog {
	return &limitedLog{log: log, causes: map[string]*cause{}}
}

func (l *limitedLog) warn(event, msg string, args ...any) {
	l.mu.Lock()
	c := l.causes[event]
	if c == nil {
		c = &cause{}
		l.causes[event] = c // events are constants of this package: the map stays small
	}
	now := time.Now()
	if now.Sub(c.last) < time.Second {
		c.skipped++
		l.mu.Unlock()
		return
	}
	skipped := c.skipped
	c.last, c.skipped = now, 0
	l.mu.Unlock()
	args = append([]any{"event", event}, args...)
	if skipped > 0 {
		args = append(args, "alsoSince", skipped)
	}
	l.log.Warn(msg, args...)
}

// gnetLog takes gnet's own log lines. Those about a single connection are everyday life here.
type gnetLog struct{ limited *limitedLog }

func (g gnetLog) Debugf(string, ...any) {}
func (g gnetLog) Infof(string, ...any)  {}

func (g gnetLog) Warnf(format string, args ...any) {
	g.limited.warn("REACTOR", strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (g gnetLog) Errorf(format string, args ...any) {
	g.limited.warn("REACTOR", strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (g gnetLog) Fatalf(format string, args ...any) {
	g.limited.log.Error(fmt.Sprintf(format, args...), "event", "REACTOR")
}
