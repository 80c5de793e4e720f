package engine

import (
	"fmt"
	"log/slog"
	"strings"

	"deepstream-fast/internal/warn"
)

// limitedLog writes warnings that a peer can cause: see internal/warn. Safe for concurrent use.
type limitedLog struct {
	log      *slog.Logger
	warnings *warn.Log
}

func newLimitedLog(log *slog.Logger) *limitedLog { return &limitedLog{log, warn.New(log)} }

// warn writes about event, one of this package's constants, which is the cause as well.
func (l *limitedLog) warn(event, msg string, args ...any) {
	l.warnings.Warn(event, msg, append([]any{"event", event}, args...)...)
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
