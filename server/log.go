package server

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"deepstream-fast/config"
)

// Attributes with a place of their own in a line: the official name of what happened, and whose line it
// is.
const (
	eventKey     = "event"
	namespaceKey = "namespace"
)

// NewLogger returns the logger the configuration asks for: text lines as the official server writes
// them, or JSON objects with the members and level numbers of pino. Warnings and errors of the text
// format go to stderr.
func NewLogger(cfg *config.Config, stdout, stderr io.Writer, terminal bool) *slog.Logger {
	level := slogLevel(cfg.EffectiveLogLevel())
	if cfg.Logger.Type == "json" {
		return slog.New(newJSONHandler(stdout, level))
	}
	return slog.New(&textHandler{out: stdout, err: stderr, level: level, colors: cfg.Logger.Options.Colors && terminal, mu: &sync.Mutex{}})
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
	case l < config.LevelOff:
		return slog.LevelError
	}
	return levelOff
}

// textHandler writes "EVENT | message key=value …", with "NAMESPACE | " in front where there is one, as
// official tools expect it, one line a record.
type textHandler struct {
	// Set by NewLogger, then constant.
	out, err io.Writer
	level    slog.Level
	colors   bool
	attrs    []slog.Attr

	mu *sync.Mutex // one line at a time
}

// Enabled implements slog.Handler.
func (h *textHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

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
	if h.colors {
		line = colorOf(r.Level) + line + "\x1b[0m"
	}
	w := h.out
	if r.Level >= slog.LevelWarn {
		w = h.err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(w, line+"\n")
	return err
}

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
func newJSONHandler(w io.Writer, level slog.Level) slog.Handler {
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
