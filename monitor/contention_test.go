package monitor

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
)

// Nothing is recorded unless somebody asks for a time, and nothing afterwards.
func TestContentionIsRecordedOnRequest(t *testing.T) {
	c := &contention{}
	for _, tc := range []struct {
		query  string
		status int
	}{{"", 400}, {"?seconds=x", 400}, {"?seconds=0", 400}, {"?seconds=121", 400}, {"?seconds=1", 200}} {
		answer := httptest.NewRecorder()
		c.serve("mutex")(answer, httptest.NewRequest(http.MethodGet, "/debug/pprof/mutex"+tc.query, nil))
		if answer.Code != tc.status {
			t.Errorf("%q answered %d, want %d", tc.query, answer.Code, tc.status)
		}
		if n := runtime.SetMutexProfileFraction(-1); n != 0 {
			t.Errorf("after %q one in %d contentions is recorded", tc.query, n)
		}
	}
	c.recording.Store(true)
	answer := httptest.NewRecorder()
	c.serve("block")(answer, httptest.NewRequest(http.MethodGet, "/debug/pprof/block?seconds=1", nil))
	if answer.Code != http.StatusServiceUnavailable {
		t.Errorf("a second recording answered %d", answer.Code)
	}
}
