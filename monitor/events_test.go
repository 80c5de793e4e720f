package monitor

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

func TestEventsCountWhatIsNotWritten(t *testing.T) {
	var out bytes.Buffer
	c := CountEvents(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelError}))
	log := slog.New(c)
	log.Info("everyday life", eventKey, "INFO")
	log.Warn("below the level", eventKey, "AUTH_ERROR")
	log.Warn("again", eventKey, "AUTH_ERROR", "more", 1)
	log.Warn("without a name")
	log.With(eventKey, "NAMED").WithGroup("g").Error("from elsewhere")
	want := []Event{{"warn", "AUTH_ERROR", 2}, {"warn", noEvent, 1}, {"error", "NAMED", 1}}
	if got := c.Events(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "from elsewhere") {
		t.Errorf("written: %q", got)
	}
}

func TestEventsAreBounded(t *testing.T) {
	c := CountEvents(slog.DiscardHandler)
	log := slog.New(c)
	for i := range 10 * eventsMax {
		log.Warn("m", eventKey, fmt.Sprint("E", i))
	}
	log.Warn("m", eventKey, strings.Repeat("E", eventBytesMax+1))
	log.Warn("m", eventKey, "\xff")
	events, sum := c.Events(), uint64(0)
	for _, e := range events {
		sum += e.Count
	}
	if len(events) > eventsMax+1 || sum != 10*eventsMax+2 {
		t.Errorf("%d events, %d counted", len(events), sum)
	}
	if !slices.Contains(events, Event{"warn", otherEvent, 9*eventsMax + 2}) {
		t.Errorf("what is too much is not counted as %s", otherEvent)
	}
}
