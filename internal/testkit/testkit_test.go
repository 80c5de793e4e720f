package testkit

import (
	"errors"
	"slices"
	"testing"
	"time"

	"deepstream-fast/protocol"
)

func TestClockFiresInOrder(t *testing.T) {
	var c Clock
	c.Start(3*time.Second, 3, 0)
	c.Start(1*time.Second, 1, 0)
	c.Start(1*time.Second, 2, 0)
	stopped := c.Start(1*time.Second, 9, 0)
	if timer, ok := c.Stop(stopped); !ok || timer.Kind != 9 {
		t.Fatalf("Stop of a pending timer = %+v, %v", timer, ok)
	}
	if _, ok := c.Stop(stopped); ok {
		t.Fatal("a timer was stopped twice")
	}
	var fired []uint8
	c.Advance(2*time.Second, func(timer Timer) {
		fired = append(fired, timer.Kind)
		if timer.Kind == 1 {
			c.Start(time.Second, 4, 0) // due within the same Advance
		}
	})
	if want := []uint8{1, 2, 4}; !slices.Equal(fired, want) {
		t.Fatalf("fired %v, want %v", fired, want)
	}
	if c.Len() != 1 {
		t.Fatalf("%d timers left, want 1", c.Len())
	}
}

func TestTranscript(t *testing.T) {
	var tr Transcript
	if got := tr.Take(); got != "ok" {
		t.Fatalf("empty transcript = %q", got)
	}
	tr.Addf("n=%d", 1)
	tr.Send(Conn(7), &protocol.Message{Topic: protocol.TopicEvent, Action: protocol.EventEmit, Name: []byte("a")})
	if got, want := tr.Take(), "n=1\n7 <- EVENT EMIT name=\"a\""; got != want {
		t.Fatalf("transcript = %q, want %q", got, want)
	}
	if got := tr.Take(); got != "ok" {
		t.Fatalf("transcript after Take = %q", got)
	}
}

func TestMustPanicsOnError(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("no panic")
		}
	}()
	if Must(1, nil) != 1 {
		t.Fatal("value lost")
	}
	Must(0, errors.New("broken"))
}

func TestScenarioArguments(t *testing.T) {
	var tr Transcript
	RunScenarios(t, func(*testing.T) func(*Command) string {
		return func(c *Command) string {
			switch c.Cmd {
			case "args":
				tr.Addf("conn=%v bytes=%q list=%q", c.Conn("conn"), c.Bytes("bytes"), c.List("list"))
				tr.Addf("absent: %v %v", c.Bytes("missing") == nil, c.List("missing") == nil)
			default:
				return c.Unknown()
			}
			return tr.Take()
		}
	})
}
