package testkit

import "time"

// Clock stands in for the timing wheel: it runs timers of a kind and a key, and time passes only in
// Advance. The zero value is at time 0. Not safe for concurrent use.
type Clock struct {
	now    time.Duration
	last   uint64
	timers map[uint64]Timer
}

// Timer is one pending timer.
type Timer struct {
	ID   uint64
	Kind uint8
	Key  uint64
	At   time.Duration // since the Clock's start
}

// Start adds a timer and returns its id, which is never 0 and never used again.
func (c *Clock) Start(after time.Duration, kind uint8, key uint64) uint64 {
	if c.timers == nil {
		c.timers = map[uint64]Timer{}
	}
	c.last++
	c.timers[c.last] = Timer{ID: c.last, Kind: kind, Key: key, At: c.now + after}
	return c.last
}

// Stop removes a pending timer and reports whether it was one.
func (c *Clock) Stop(id uint64) (Timer, bool) {
	t, ok := c.timers[id]
	delete(c.timers, id)
	return t, ok
}

// Advance moves time on by d and calls fire for every timer that falls due, earliest first and, at
// one instant, in the order they were started. Timers that fire starts are included.
func (c *Clock) Advance(d time.Duration, fire func(Timer)) {
	end := c.now + d
	for {
		next, ok := c.earliest()
		if !ok || next.At > end {
			break
		}
		c.now = next.At
		delete(c.timers, next.ID)
		fire(next)
	}
	c.now = end
}

// Len returns the number of pending timers.
func (c *Clock) Len() int { return len(c.timers) }

func (c *Clock) earliest() (first Timer, ok bool) {
	for _, t := range c.timers {
		if !ok || t.At < first.At || t.At == first.At && t.ID < first.ID {
			first, ok = t, true
		}
	}
	return first, ok
}
