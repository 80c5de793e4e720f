package server

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// queueBytesMax bounds the lines that wait for a stream to take them.
const queueBytesMax = 1 << 20

// logQueue stands between those who log, loops included, and a stream that may take its time: a terminal
// that is stopped, a pipe that nobody reads. Write never waits for it. What does not fit is dropped and
// counted, and the next line that fits comes behind one that says how many are missing.
type logQueue struct {
	// Set by newLogQueue, then constant.
	out     io.Writer
	missing func(lines uint64) []byte // a line that says so
	wake    chan struct{}             // has room for one
	idle    chan struct{}             // closed when drain has ended

	dropped atomic.Uint64 // lines, since the start

	mu      sync.Mutex // guards the fields below; a leaf, never held across a write to out
	waiting []byte     // whole lines
	skipped uint64     // lines dropped since the last one that was taken
	closed  bool
}

// newLogQueue starts the goroutine that writes to out. It ends after close.
func newLogQueue(out io.Writer, missing func(uint64) []byte) *logQueue {
	q := &logQueue{out: out, missing: missing, wake: make(chan struct{}, 1), idle: make(chan struct{})}
	go q.drain()
	return q
}

// Write implements io.Writer for one or more whole lines, which it copies.
func (q *logQueue) Write(line []byte) (int, error) {
	q.mu.Lock()
	if q.closed || len(q.waiting)+len(line) > queueBytesMax {
		q.skipped++
		q.mu.Unlock()
		q.dropped.Add(1)
		return len(line), nil
	}
	if q.skipped > 0 {
		q.waiting = append(q.waiting, q.missing(q.skipped)...)
		q.skipped = 0
	}
	q.waiting = append(q.waiting, line...)
	q.mu.Unlock()
	q.signal()
	return len(line), nil
}

func (q *logQueue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// drain writes what waits until the queue is closed and empty.
func (q *logQueue) drain() {
	defer close(q.idle)
	var spare []byte
	for range q.wake {
		var last bool
		if spare, last = q.take(spare[:0]); len(spare) > 0 {
			_, _ = q.out.Write(spare) // there is nowhere to tell that the log cannot be written
		}
		if last {
			return
		}
	}
}

// take returns what waits, gives an empty buffer for it, and reports whether nothing more can come.
func (q *logQueue) take(empty []byte) (lines []byte, last bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines, q.waiting = q.waiting, empty
	if q.closed && q.skipped > 0 {
		lines, q.skipped = append(lines, q.missing(q.skipped)...), 0
	}
	return lines, q.closed
}

// close writes what waits and drops what comes later. It gives up after patience: a reader that is gone
// must not keep the process from ending.
func (q *logQueue) close(patience time.Duration) {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-q.idle:
	case <-late.C:
	}
}

// missingText and missingJSON are the lines that stand for dropped ones.
func missingText(lines uint64) []byte {
	return fmt.Appendf(nil, "LOG | %d lines are missing: the log was not read fast enough\n", lines)
}

func missingJSON(lines uint64) []byte {
	return fmt.Appendf(nil, `{"time":%d,"level":40,"event":"LOG","message":"lines are missing: the log was not read fast enough","lines":%d}`+"\n", time.Now().UnixMilli(), lines)
}
