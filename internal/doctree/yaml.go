package doctree

import (
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var yamlError = regexp.MustCompile(`^yaml: line (\d+): (?s:(.*))$`)

// parseYAML reads exactly one YAML document. Aliases are followed, merge keys are not supported.
func parseYAML(b *builder) (*Node, error) {
	decoder := yaml.NewDecoder(strings.NewReader(b.text))
	var root yaml.Node
	err := decoder.Decode(&root)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, b.yamlError(err)
	}
	if err := decoder.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, errorf(0, "more than one YAML document in the file")
	}
	return b.yaml(root.Content[0], 1)
}

func (b *builder) yamlError(err error) error {
	m := yamlError.FindStringSubmatch(err.Error())
	if m == nil {
		return errorf(0, "%s", trimmed(err, "yaml"))
	}
	line, _ := strconv.Atoi(m[1])
	return errorf(b.offset(line, 1), "%s", m[2])
}

// yaml converts v; depth ends an alias that contains itself.
func (b *builder) yaml(v *yaml.Node, depth int) (*Node, error) {
	pos := b.offset(v.Line, v.Column)
	if v.Kind == yaml.AliasNode {
		return b.yaml(v.Alias, depth)
	}
	n, err := b.node(Text, pos, v.Value, depth)
	if err != nil {
		return nil, err
	}
	switch v.Kind {
	case yaml.SequenceNode:
		n.Kind = List
		for _, item := range v.Content {
			child, err := b.yaml(item, depth+1)
			if err != nil {
				return nil, err
			}
			n.Items = append(n.Items, child)
		}
		return n, nil
	case yaml.MappingNode:
		n.Kind = Table
		return n, b.yamlMapping(n, v.Content, depth+1)
	default:
		return n, scalarYAML(n, v)
	}
}

// yamlMapping fills n from alternating keys and values.
func (b *builder) yamlMapping(n *Node, content []*yaml.Node, depth int) error {
	for i := 0; i+1 < len(content); i += 2 {
		key := content[i]
		pos := b.offset(key.Line, key.Column)
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
			return errorf(pos, "keys are plain texts here; merge keys are not supported")
		}
		value, err := b.yaml(content[i+1], depth)
		if err != nil {
			return err
		}
		if err := n.put(key.Value, pos, value); err != nil {
			return err
		}
	}
	return nil
}

// scalarYAML sets kind and text of n by the tag of v, explicit or implied.
func scalarYAML(n *Node, v *yaml.Node) error {
	switch v.ShortTag() {
	case "!!null":
		n.Kind = Null
	case "!!bool":
		n.Kind, n.Text = Bool, strings.ToLower(v.Value)
	case "!!int":
		n.Kind, n.Text = Int, strings.ReplaceAll(v.Value, "_", "")
	case "!!float":
		n.Kind, n.Text = Float, strings.ReplaceAll(v.Value, "_", "")
	case "!!str", "!!timestamp":
	default:
		return errorf(n.Pos, "tag %s is not supported", Quote(v.Tag))
	}
	return nil
}
