package engine

// Pulse reports whether every loop has taken a turn since the last call, and asks each for another one.
// The first call only asks. It does not wait, so a loop that is stuck shows as false until it goes on.
// To be called by one goroutine.
func (e *Engine) Pulse() bool {
	alive := true
	if e.pulse == nil {
		e.pulse = make([]uint64, len(e.loops))
	} else {
		for i, l := range e.loops {
			alive = alive && l.stats.pulses.Load() != e.pulse[i]
		}
	}
	for i, l := range e.loops {
		e.pulse[i] = l.stats.pulses.Load()
		l.kick()
	}
	return alive
}
