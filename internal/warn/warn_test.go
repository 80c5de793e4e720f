package warn

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestOneLinePerCauseAndPeriod(t *testing.T) {
	l := New(nil)
	start := time.Now()
	for i, tt := range []struct {
		cause   string
		after   time.Duration
		skipped int
		write   bool
	}{
		{"a", 0, 0, true}, {"b", 0, 0, true}, {"a", time.Millisecond, 0, false}, {"a", 999 * time.Millisecond, 0, false},
		{"a", time.Second, 2, true}, {"b", time.Minute, 0, true},
	} {
		if skipped, write := l.due(tt.cause, start.Add(tt.after)); skipped != tt.skipped || write != tt.write {
			t.Errorf("%d: %d, %v", i, skipped, write)
		}
	}
}

func TestWhatWasLeftOutIsCountedInTheNextLine(t *testing.T) {
	var out strings.Builder
	l := New(slog.New(slog.NewTextHandler(&out, nil)))
	l.causes["c"] = &cause{last: time.Now().Add(-Period), skipped: 7}
	args := make([]any, 2, 8) // room behind it belongs to the caller
	args[0], args[1] = "status", 500
	l.Warn("c", "what happened", args...)
	l.Warn("c", "what happened", args...)
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `msg="what happened" status=500 alsoSince=7`) {
		t.Errorf("wrote %q", got)
	}
	if args[:4][2] != nil {
		t.Errorf("the caller's array holds %v", args[:4])
	}
}

func TestManyWarnAtOnce(t *testing.T) {
	l := New(nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				l.Warn("flood", "again")
			}
		})
	}
	wg.Wait()
	if c := l.causes["flood"]; len(l.causes) != 1 || c.last.IsZero() || c.skipped > 799 {
		t.Errorf("%d causes, %+v", len(l.causes), c)
	}
}
