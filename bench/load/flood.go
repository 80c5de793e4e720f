package load

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// FloodConnsMax bounds a Flood.
const FloodConnsMax = 15_000

// Flood is connections of one address that try to log in with credentials that are refused, over and
// over. Each has one attempt under way at most, as the protocol has it. Not safe for concurrent use.
type Flood struct {
	epfd   int
	conns  []*Conn
	idle   []int // conns without an attempt under way
	frame  []byte
	events []unix.EpollEvent
}

// FloodResult counts the attempts of a run.
type FloodResult struct {
	Offered int // sent
	Refused int // answered
	Elapsed time.Duration
}

// DialFlood opens conns connections up to where a login is expected. index is the number of the first
// one among all connections of the process.
func DialFlood(addr string, index, conns int, timeout time.Duration, credentials string) (*Flood, error) {
	if conns < 1 || conns > FloodConnsMax {
		return nil, fmt.Errorf("load: %d connections, want 1 to %d", conns, FloodConnsMax)
	}
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("load: epoll: %w", err)
	}
	f := &Flood{epfd: epfd, events: make([]unix.EpollEvent, eventsPerTurn)}
	f.frame = appendFrame(nil, message(topicAuth, appendField([]byte{fieldAction << 3, authRequest}, fieldData, credentials)))
	for i := range conns {
		c, err := dialChallenged(addr, index+i, timeout)
		if err == nil {
			f.conns, f.idle = append(f.conns, c), append(f.idle, i)
			err = unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, c.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)})
		}
		if err != nil {
			f.Close()
			return nil, err
		}
	}
	return f, nil
}

// Run offers rate attempts per second until stop is closed. If all connections wait for an answer, the
// attempts that are due are made up for later.
func (f *Flood) Run(rate int, stop <-chan struct{}) (r FloodResult, err error) {
	began := time.Now()
	defer func() { r.Elapsed = time.Since(began) }()
	for {
		select {
		case <-stop:
			return r, nil
		default:
		}
		due := int(time.Since(began).Seconds()*float64(rate)) - r.Offered
		for ; due > 0 && len(f.idle) > 0; due-- {
			i := f.idle[len(f.idle)-1]
			f.idle = f.idle[:len(f.idle)-1]
			if err := writeAll(f.conns[i].fd, f.frame); err != nil {
				return r, fmt.Errorf("load: attempt: %w", err)
			}
			r.Offered++
		}
		refused, err := f.collect()
		if err != nil {
			return r, err
		}
		r.Refused += refused
	}
}

// collect waits a millisecond for answers and reads those that came.
func (f *Flood) collect() (refused int, err error) {
	n, err := unix.EpollWait(f.epfd, f.events, 1)
	if err == unix.EINTR {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("load: epoll: %w", err)
	}
	for _, ev := range f.events[:n] {
		payload, err := f.conns[ev.Fd].readFrame()
		if err != nil {
			return refused, fmt.Errorf("load: answer: %w", err)
		}
		a, err := decode(payload)
		if err != nil {
			return refused, err
		}
		if a.topic != topicAuth || a.action == authSuccessful {
			return refused, errors.New("load: an attempt of a flood was not refused")
		}
		f.idle = append(f.idle, int(ev.Fd))
		refused++
	}
	return refused, nil
}

// Close resets every connection.
func (f *Flood) Close() {
	for _, c := range f.conns {
		c.Close()
	}
	f.conns = nil
	if f.epfd >= 0 {
		_ = unix.Close(f.epfd)
		f.epfd = -1
	}
}
