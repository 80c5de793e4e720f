package server

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"deepstream-fast/config"
)

// Attributes with a place of their own in a line: the official name of what happened, and whose line it
// is.
const (
	eventKey     = "event"
	namespaceKey = "namespace"
)

// LevelFatal is the level of what ends the server.
const LevelFatal = slog.LevelError + 4

// Log is the log of a server. Its lines go through a bounded queue, so that whoever logs never waits.
type Log struct {
	*slog.Logger

	// Set by OpenLog, then constant.
	level  *slog.LevelVar
	queues []*logQueue
}

// OpenLog returns the log the configuration asks for: text lines as the official server writes them, or
// JSON objects with the members and level numbers of pino. Warnings and errors of the text format go to
// stderr. Close it at the end.
func OpenLog(cfg *config.Config, stdout, stderr io.Writer, terminal bool) *Log {
	l := &Log{level: new(slog.LevelVar)}
	l.SetLevel(cfg.EffectiveLogLevel())
	if cfg.Logger.Type == "json" {
		l.queues = []*logQueue{newLogQueue(stdout, missingJSON)}
		l.Logger = slog.New(newJSONHandler(l.queues[0], l.level))
		return l
	}
	l.queues = []*logQueue{newLogQueue(stdout, missingText), newLogQueue(stderr, missingText)}
	o := &cfg.Logger.Options
	l.Logger = slog.New(&textHandler{
		out: l.queues[0], err: l.queues[1], level: l.level, colors: o.Colors && terminal, timestamps: o.Timestamps,
	})
	return l
}

// SetLevel changes the least severe level that is logged. Safe for concurrent use.
func (l *Log) SetLevel(level config.LogLevel) { l.level.Set(slogLevel(level)) }

// Dropped returns how many lines were lost because a stream did not take them. Safe for concurrent use.
func (l *Log) Dropped() (lines uint64) {
	for _, q := range l.queues {
		lines += q.dropped.Load()
	}
	return lines
}

// logPatience is how long a stream may take at the end for what waits.
const logPatience = 2 * time.Second

// Close writes what waits. What is logged afterwards is lost.
func (l *Log) Close() {
	for _, q := range l.queues {
		q.close(logPatience)
	}
}

// levelOff is above everything that is ever logged.
const levelOff = slog.Level(100)

func slogLevel(l config.LogLevel) slog.Level {
	switch {
	case l <= config.LevelDebug:
		return slog.LevelDebug
	case l == config.LevelInfo:
		return slog.LevelInfo
	case l == config.LevelWarn:
		return slog.LevelWarn
	case l == config.LevelError:
		return slog.LevelError
	case l < config.LevelOff:
		return LevelFatal
	}
	return levelOff
}

// textHandler writes "EVENT | message key=value …", with "NAMESPACE | " in front where there is one, as
// official tools expect it, one line a record.
type textHandler struct {
	// Set by OpenLog, then constant.
	out, err   io.Writer // take a line in one call
	level      slog.Leveler
	colors     bool
	timestamps bool
	attrs      []slog.Attr
}

// Enabled implements slog.Handler.
func (h *textHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// WithGroup implements slog.Handler. Groups have no place in a line.
func (h *textHandler) WithGroup(string) slog.Handler { return h }

// WithAttrs implements slog.Handler.
func (h *textHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = append(append([]slog.Attr(nil), h.attrs...), attrs...)
	return &c
}

// Handle implements slog.Handler.
func (h *textHandler) Handle(_ context.Context, r slog.Record) error {
	namespace, event, b := "", "INFO", strings.Builder{}
	if r.Level >= slog.LevelError {
		event = "ERROR"
	}
	add := func(a slog.Attr) bool {
		switch a.Key {
		case eventKey:
			event = a.Value.String()
			return true
		case namespaceKey:
			namespace = a.Value.String() + " | "
			return true
		}
		b.WriteString(" " + a.Key + "=" + quoteIfNeeded(a.Value.String()))
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	line := namespace + event + " | " + r.Message + b.String()
	if h.timestamps {
		line = r.Time.UTC().Format(timeFormat) + " " + line
	}
	if h.colors {
		line = colorOf(r.Level) + line + "\x1b[0m"
	}
	w := h.out
	if r.Level >= slog.LevelWarn {
		w = h.err
	}
	_, err := io.WriteString(w, line+"\n")
	return err
}

// timeFormat is that of RFC 3339 with milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// quoteIfNeeded keeps what a peer sent from breaking or forging a line.
func quoteIfNeeded(s string) string {
	for _, c := range s {
		if c <= ' ' || c == '"' || c == 0x7f || c >= 0x80 {
			return strconv.Quote(s)
		}
	}
	return s
}

func colorOf(l slog.Level) string {
	switch {
	case l >= LevelFatal:
		return "\x1b[34m"
	case l >= slog.LevelError:
		return "\x1b[31m"
	case l >= slog.LevelWarn:
		return "\x1b[33m"
	case l >= slog.LevelInfo:
		return "\x1b[32m"
	}
	return "\x1b[37m"
}

// newJSONHandler returns slog's JSON handler with pino's member names and level numbers, so that
// existing pipelines go on working.
func newJSONHandler(w io.Writer, level slog.Leveler) slog.Handler {
	host, _ := os.Hostname()
	h := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) > 0 {
			return a
		}
		switch a.Key {
		case slog.TimeKey:
			if t, ok := a.Value.Any().(time.Time); ok {
				return slog.Int64("time", t.UnixMilli())
			}
		case slog.LevelKey:
			if l, ok := a.Value.Any().(slog.Level); ok {
				return slog.Int("level", 30+int(l)*10/4)
			}
		case slog.MessageKey:
			a.Key = "message"
		}
		return a
	}})
	return h.WithAttrs([]slog.Attr{slog.Int("pid", os.Getpid()), slog.String("hostname", host)})
}
