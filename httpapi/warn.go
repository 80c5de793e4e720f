package httpapi

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// limitedWarning writes one line a second at most and counts in it what it has left out: clients can
// cause it.
type limitedWarning struct {
	last    atomic.Int64 // unix nanoseconds
	skipped atomic.Uint64
}

func (w *limitedWarning) warn(log *slog.Logger, msg string, args ...any) {
	now, last := time.Now().UnixNano(), w.last.Load()
	if now-last < int64(time.Second) || !w.last.CompareAndSwap(last, now) {
		w.skipped.Add(1)
		return
	}
	if n := w.skipped.Swap(0); n > 0 {
		args = append(args, "alsoSince", n)
	}
	log.Warn(msg, args...)
}
