package valve

type trace struct{}

func (t *trace) note(n *node, v value) {}
