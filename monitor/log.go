package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// LogOptions configures the monitor of type log.
type LogOptions struct {
	Interval time.Duration // between reports
	Key      string        // namespace of the lines, and of the numbers in them
}

// Log is the monitor of type log: a report per interval.
type Log struct {
	// Set by StartLog, then constant.
	opts     LogOptions
	reporter *Reporter
	log      *slog.Logger
	stop     context.CancelFunc
	done     sync.WaitGroup
}

// StartLog begins to write reports. Close ends it.
func StartLog(opts LogOptions, reporter *Reporter, log *slog.Logger) *Log {
	ctx, stop := context.WithCancel(context.Background())
	l := &Log{opts: opts, reporter: reporter, log: log, stop: stop}
	l.done.Go(func() { l.run(ctx) }) // ends when Close calls stop, and waits for it
	return l
}

// Close ends the reports.
func (l *Log) Close() {
	l.stop()
	l.done.Wait()
}

func (l *Log) run(ctx context.Context) {
	tick := time.NewTicker(l.opts.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			l.write(ctx)
		}
	}
}

// write logs one report. Source: spec/monitoring.md §2.2.
func (l *Log) write(ctx context.Context) {
	r := l.reporter.Report()
	if ctx.Err() != nil { // closed meanwhile: the numbers may be incomplete
		return
	}
	key, keyErr := json.Marshal(l.opts.Key)
	stats, err := json.Marshal(r.Stats)
	if err = errors.Join(keyErr, err); err != nil { // there is nothing in a report that cannot be encoded
		l.log.Error("a report cannot be encoded: "+err.Error(), eventKey, "PLUGIN_ERROR")
		return
	}
	l.log.Info(fmt.Sprintf(`{%s:%s,"from":%d,"to":%d}`, key, stats, r.From, r.To),
		eventKey, fmt.Sprintf("Monitoring stats for %d to %d", r.From, r.To), "namespace", l.opts.Key)
}
