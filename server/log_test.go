package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"

	"deepstream-fast/config"
)

// sink is a stream that a test can read while others write.
type sink struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (s *sink) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// logged returns what both streams get of the lines that write logs.
func logged(t *testing.T, change func(*config.Config), write func(*Log)) (stdout, stderr string) {
	t.Helper()
	cfg := config.Default()
	if change != nil {
		change(&cfg)
	}
	var out, err sink
	l := OpenLog(&cfg, &out, &err, false)
	write(l)
	l.Close()
	return out.String(), err.String()
}

func everyLevel(l *Log) {
	l.Debug("d", "event", "SUBSCRIBE")
	l.Info("user", "event", "AUTH_SUCCESSFUL", "connection", "1-2-3")
	l.Warn("two words", "event", "VERSION_EXISTS", "name", "a b", "namespace", "PERMISSION")
	l.Error("no event")
	l.Log(context.Background(), LevelFatal, "the end", "event", "FATAL_EXCEPTION")
}

func TestTextLines(t *testing.T) {
	stdout, stderr := logged(t, nil, everyLevel)
	if want := "AUTH_SUCCESSFUL | user connection=1-2-3\n"; stdout != want {
		t.Errorf("stdout %q, want %q", stdout, want)
	}
	if want := "PERMISSION | VERSION_EXISTS | two words name=\"a b\"\nERROR | no event\nFATAL_EXCEPTION | the end\n"; stderr != want {
		t.Errorf("stderr %q, want %q", stderr, want)
	}
	stdout, _ = logged(t, func(c *config.Config) { c.Logger.Options.Timestamps = true }, everyLevel)
	stamp, rest, _ := strings.Cut(stdout, " ")
	if len(stamp) != len("2006-01-02T15:04:05.000Z") || !strings.HasSuffix(stamp, "Z") || !strings.HasPrefix(rest, "AUTH_SUCCESSFUL | ") {
		t.Errorf("with timestamps %q", stdout)
	}
}

func TestJSONLines(t *testing.T) {
	stdout, stderr := logged(t, func(c *config.Config) { c.Logger.Type, c.LogLevel = "json", config.LevelDebug }, everyLevel)
	if stderr != "" {
		t.Errorf("stderr %q", stderr)
	}
	var levels []int
	for _, line := range strings.Split(strings.TrimSpace(stdout), "\n") {
		var m struct {
			Level, PID, Time         int
			Event, Message, Hostname string
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if m.PID == 0 || m.Time == 0 || m.Message == "" || m.Hostname == "" {
			t.Errorf("members are missing: %s", line)
		}
		levels = append(levels, m.Level)
	}
	if want := []int{20, 30, 40, 50, 60}; len(levels) != 5 || [5]int(levels) != [5]int(want) {
		t.Errorf("levels %v, want pino's %v", levels, want)
	}
}

func TestLevelSaysWhichLinesAreWritten(t *testing.T) {
	for level, want := range map[config.LogLevel]int{
		config.LevelDebug: 5, config.LevelInfo: 4, config.LevelWarn: 3, config.LevelError: 2, config.LevelFatal: 1, config.LevelOff: 0,
	} {
		out, err := logged(t, func(c *config.Config) { c.LogLevel = level }, everyLevel)
		if got := strings.Count(out+err, "\n"); got != want {
			t.Errorf("%s: %d lines, want %d", level, got, want)
		}
	}
	out, _ := logged(t, nil, func(l *Log) {
		child := l.With("name", "x") // made before the change
		l.SetLevel(config.LevelDebug)
		child.Debug("now")
	})
	if out != "INFO | now name=x\n" {
		t.Errorf("after SetLevel %q", out)
	}
}

// stalled is a stream that takes nothing until it is released.
type stalled struct {
	entered, released chan struct{}
	sink
}

func (s *stalled) Write(b []byte) (int, error) {
	select {
	case s.entered <- struct{}{}:
	default:
	}
	<-s.released
	return s.sink.Write(b)
}

// Nobody who logs waits for a stream that does not take lines; what is lost is counted and said.
func TestAStalledStreamHoldsNobodyUp(t *testing.T) {
	s := &stalled{entered: make(chan struct{}, 1), released: make(chan struct{})}
	cfg := config.Default()
	l := OpenLog(&cfg, s, io.Discard, false)
	l.Info("first")
	<-s.entered // the stream has that one and does not come back
	const lines = 3 * queueBytesMax / 1000
	text := strings.Repeat("x", 1000-len("INFO | \n"))
	for range lines {
		l.Info(text)
	}
	dropped := l.Dropped()
	if want := uint64(lines - queueBytesMax/1000); dropped != want {
		t.Errorf("%d lines dropped, want %d", dropped, want)
	}
	close(s.released)
	l.Close()
	got := s.String()
	if n := strings.Count(got, text); n != lines-int(dropped) {
		t.Errorf("%d lines written, want %d", n, lines-int(dropped))
	}
	if !strings.Contains(got, string(missingText(dropped))) {
		t.Errorf("nobody is told of %d dropped lines: %s", dropped, got[len(got)-100:])
	}
}

// The next line that fits comes behind the one that tells of those that did not.
func TestMissingLinesAreSaidWhereTheyWere(t *testing.T) {
	s := &stalled{entered: make(chan struct{}, 1), released: make(chan struct{})}
	q := newLogQueue(s, missingJSON)
	_, _ = q.Write([]byte("1\n"))
	<-s.entered
	_, _ = q.Write(make([]byte, queueBytesMax))
	_, _ = q.Write([]byte("lost\n"))
	close(s.released)
	for len(s.String()) < 2+queueBytesMax { // until both have been written
		runtime.Gosched()
	}
	_, _ = q.Write([]byte("2\n"))
	q.close(logPatience)
	tail := s.String()[2+queueBytesMax:]
	line, rest, _ := strings.Cut(tail, "\n")
	var m struct{ Lines int }
	if err := json.Unmarshal([]byte(line), &m); err != nil || m.Lines != 1 || rest != "2\n" {
		t.Errorf("%q, %v", tail, err)
	}
	if _, err := q.Write([]byte("late\n")); err != nil || q.dropped.Load() != 2 {
		t.Errorf("%v, %d dropped", err, q.dropped.Load())
	}
}

func BenchmarkLog(b *testing.B) {
	for _, format := range []string{"default", "json"} {
		b.Run("format="+format, func(b *testing.B) {
			cfg := config.Default()
			cfg.Logger.Type = format
			l := OpenLog(&cfg, io.Discard, io.Discard, false)
			defer l.Close()
			b.ReportAllocs()
			for b.Loop() {
				l.Info("from undefined (192.0.2.1:12345)", "event", "INCOMING_CONNECTION", "connection", "1-2-3")
			}
		})
	}
}
