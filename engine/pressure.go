package engine

// Backlog returns how many bytes wait because c's peer does not take them. Whoever has much to send can
// wait until it is small: a turn comes soon after the peer has taken something.
func (c *Conn) Backlog() int {
	if c.out == nil {
		return 0
	}
	return c.out.bytes
}
