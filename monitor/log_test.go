package monitor

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

func TestLogWritesAReportPerInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
		start := time.Now().UnixMilli()
		l := StartLog(LogOptions{Interval: time.Minute, Key: `K"`}, NewReporter(always(&Sample{Nodes: 1}), counterOf()), log)
		<-time.After(2*time.Minute + time.Second) // of the clock of the bubble
		synctest.Wait()
		l.Close()
		var want string
		for i := range int64(2) {
			from, to := start+i*60_000, start+(i+1)*60_000
			json := fmt.Sprintf(`{"K\"":{"clusterSize":1,"stateMetrics":{},"errors":{},"received":{},"send":{},"logins":{}},"from":%d,"to":%d}`, from, to)
			want += fmt.Sprintf("level=INFO msg=%q event=\"Monitoring stats for %d to %d\" namespace=%q\n", json, from, to, `K"`)
		}
		if got := out.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}
