package engine

import (
	"context"
	"net"
	"time"

	"deepstream-fast/codec/ws"
)

// A connection that is told to leave comes back at once, here or to another node, with everything it is
// subscribed to. All of them at the same moment would be a flood of our own making, so they are told one
// after the other: drainPerSecond of them, faster only if DrainTimeout does not give the time.

// drainStep is the time between two permissions to tell some connections to leave.
const drainStep = 20 * time.Millisecond

// drain is how far a loop has come with it. Owned by the loop.
type drain struct {
	on    bool
	all   bool // nobody may stay
	next  int  // slot to look at next
	told  int  // connections told
	quota int  // that may have been told by now
	total int  // that there were when it began
}

// allow takes the permission in m: that step m.Topic of m.Gen has come.
func (d *drain) allow(l *Loop, m *Mail) {
	if !d.on {
		*d = drain{on: true, total: l.conns.slots() - len(l.conns.free)}
	}
	d.quota = d.total * int(m.Topic) / int(m.Gen)
	d.all = m.Topic == m.Gen
}

// sendAway lets the loops tell their connections to leave. It takes half the time left until ctx ends at
// most: they have to take what is queued for them as well.
func (e *Engine) sendAway(ctx context.Context) {
	spread := min(e.opts.DrainTimeout, time.Duration(e.conns.Load())*time.Second/drainPerSecond)
	if deadline, ok := ctx.Deadline(); ok {
		spread = min(spread, time.Until(deadline)/2)
	}
	steps := max(1, int(spread/drainStep))
	tick := time.NewTicker(drainStep)
	defer tick.Stop()
	for step := 1; step < steps && e.conns.Load() > 0; step++ {
		e.allowDrain(step, steps)
		select {
		case <-tick.C:
		case <-ctx.Done():
			step = steps
		}
	}
	e.allowDrain(steps, steps)
}

func (e *Engine) allowDrain(step, steps int) {
	e.postAll(Mail{Kind: mailDrain, Topic: uint32(step), Gen: uint32(steps)})
}

// drainStep tells the next connections to go away, as many as are allowed and at most drainPerTurn.
func (l *Loop) drainStep() (more bool) {
	d := &l.drain
	if !d.on {
		return false
	}
	for left := drainPerTurn; d.next < l.conns.slots() && (d.all || d.told < d.quota); d.next++ {
		if left == 0 {
			return true
		}
		c := l.conns.at(uint32(d.next))
		switch c.state {
		case stateOpen:
			l.goAway(c)
		case stateHead:
			l.rejectHead(c)
		default:
			continue
		}
		d.told++
		left--
	}
	return false
}

// goAway ends a WebSocket because we stop. A client takes it for a reason to reconnect, not for an error.
func (l *Loop) goAway(c *Conn) { l.Close(c, ws.CloseGoingAway, "server is going away") }

// rejectHead ends a connection that has not asked for anything yet. On a listener that somebody keeps for
// the next server it may still do so for a moment: then it gets the close frame instead of an error.
func (l *Loop) rejectHead(c *Conn) {
	if l.opts.Listener == nil {
		c.because(EndedDrain)
		l.closeSocket(c)
		return
	}
	l.rearm(c, l.headTimeout())
}

// headTimeout returns the time in which a request head must be complete.
func (l *Loop) headTimeout() time.Duration {
	if l.engine.draining.Load() {
		return min(l.opts.HeadTimeout, l.opts.CloseTimeout)
	}
	return l.opts.HeadTimeout
}

// listen returns the listener the options ask for.
func (o *Options) listen() (net.Listener, error) {
	if o.Listener != nil {
		return adopt(o.Listener)
	}
	return listen(o.Host, o.Port)
}
