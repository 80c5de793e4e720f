package rpc

// A call is in two lists at a time: one by origin (its requestor's while open, the Home's retired
// ones afterwards) and one by provider. The links are in the call, so lists allocate nothing.
const (
	byOrigin = iota
	byProvider
)

type link struct{ prev, next *call }

// list is a queue of calls in the order they were pushed.
type list struct {
	head, tail *call
	n          int
	by         uint8 // which of a call's links it uses
}

func (l *list) push(c *call) {
	c.links[l.by] = link{prev: l.tail}
	if l.tail == nil {
		l.head = c
	} else {
		l.tail.links[l.by].next = c
	}
	l.tail = c
	l.n++
}

// remove takes c, which is in the list, out of it.
func (l *list) remove(c *call) {
	k := c.links[l.by]
	if k.prev == nil {
		l.head = k.next
	} else {
		k.prev.links[l.by].next = k.next
	}
	if k.next == nil {
		l.tail = k.prev
	} else {
		k.next.links[l.by].prev = k.prev
	}
	c.links[l.by] = link{}
	l.n--
}
