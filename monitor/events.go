package monitor

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"unicode/utf8"
)

const (
	eventKey      = "event" // attribute that names what happened
	eventsMax     = 256     // different ones that are told apart
	eventBytesMax = 64      // of a name
	otherEvent    = "OTHER" // all beyond these
	noEvent       = "INFO"  // what a line without a name is called
)

// Event is how often something was logged as a warning or an error.
type Event struct {
	Level string // "warn" or "error"
	Name  string
	Count uint64
}

// EventCounter is a slog.Handler that counts warnings and errors by event and hands everything on. Lines
// count whether or not they are written. Safe for concurrent use.
type EventCounter struct {
	// Set by CountEvents or WithAttrs, then constant.
	next   slog.Handler
	event  string // of an attribute given beforehand, or ""
	counts *eventCounts
}

// eventCounts is shared by all handlers that come of one CountEvents.
type eventCounts struct {
	mu     sync.Mutex // guards number; a leaf, held for one look-up
	number map[Event]uint64
}

// CountEvents returns an EventCounter in front of next.
func CountEvents(next slog.Handler) *EventCounter {
	return &EventCounter{next: next, counts: &eventCounts{number: map[Event]uint64{}}}
}

// Enabled implements slog.Handler: what is to be counted must not be left out.
func (e *EventCounter) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn || e.next.Enabled(ctx, l)
}

// Handle implements slog.Handler.
func (e *EventCounter) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		e.counts.add(r.Level, e.eventOf(&r))
		if !e.next.Enabled(ctx, r.Level) {
			return nil
		}
	}
	return e.next.Handle(ctx, r)
}

// eventOf returns the name of what a line is about.
func (e *EventCounter) eventOf(r *slog.Record) string {
	name := e.event
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == eventKey {
			name = a.Value.String()
		}
		return true
	})
	return cmp.Or(name, noEvent)
}

// WithAttrs implements slog.Handler.
func (e *EventCounter) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *e
	c.next = e.next.WithAttrs(attrs)
	for _, a := range attrs {
		if a.Key == eventKey {
			c.event = a.Value.String()
		}
	}
	return &c
}

// WithGroup implements slog.Handler.
func (e *EventCounter) WithGroup(name string) slog.Handler {
	c := *e
	c.next = e.next.WithGroup(name)
	return &c
}

// Events returns the counts, sorted.
func (e *EventCounter) Events() []Event {
	e.counts.mu.Lock()
	events := make([]Event, 0, len(e.counts.number))
	for key, n := range e.counts.number {
		events = append(events, Event{key.Level, key.Name, n})
	}
	e.counts.mu.Unlock()
	slices.SortFunc(events, func(a, b Event) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Level, b.Level)) })
	return events
}

func (c *eventCounts) add(level slog.Level, name string) {
	key := Event{Level: "warn", Name: name}
	if level >= slog.LevelError {
		key.Level = "error"
	}
	if len(name) > eventBytesMax || !utf8.ValidString(name) {
		key.Name = otherEvent
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.number[key]; !known && len(c.number) >= eventsMax {
		key.Name = otherEvent
	}
	c.number[key]++
}
