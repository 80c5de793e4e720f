package auth

import (
	"log/slog"

	"deepstream-fast/internal/warn"
)

// Reporter writes warnings that an attempt to log in can cause: see internal/warn. Safe for concurrent use.
type Reporter struct{ log *warn.Log }

// NewReporter returns a Reporter that writes to log; nil: nowhere.
func NewReporter(log *slog.Logger) *Reporter { return &Reporter{warn.New(log)} }

// Warn writes message as an AUTH_ERROR. The causes are few and fixed; args must not hold credentials.
func (r *Reporter) Warn(cause, message string, args ...any) {
	r.log.Warn(cause, message, append([]any{"event", "AUTH_ERROR"}, args...)...)
}
