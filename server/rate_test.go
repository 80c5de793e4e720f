package server

import (
	"testing"
	"time"
)

func TestMessageRate(t *testing.T) {
	for _, tt := range []struct {
		perSecond, burst int
		interval         time.Duration
		most             int
	}{
		{0, 0, 0, 0},
		{0, 5, 0, 0}, // a burst alone limits nothing
		{20, 0, 50 * time.Millisecond, 20},
		{20, 5, 50 * time.Millisecond, 5},
		{1_000_000, 0, time.Microsecond, 1_000_000},
	} {
		if interval, most := messageRate(tt.perSecond, tt.burst); interval != tt.interval || most != tt.most {
			t.Errorf("%d, %d: %d every %v, want %d every %v", tt.perSecond, tt.burst, most, interval, tt.most, tt.interval)
		}
	}
}
