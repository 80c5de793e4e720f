package config

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
func parseYAML(b *builder) (*node, error) {
	decoder := yaml.NewDecoder(strings.NewReader(b.src.text))
	var document yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		return b.node(kindTable, 0, "")
	}
	if err != nil {
		return nil, b.yamlError(err)
	}
	if err := decoder.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, syntaxErrorf(0, "more than one YAML document in the file")
	}
	return b.yaml(document.Content[0], 1)
}

func (b *builder) yamlError(err error) error {
	m := yamlError.FindStringSubmatch(err.Error())
	if m == nil {
		return syntaxErrorf(0, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	line, _ := strconv.Atoi(m[1])
	return syntaxErrorf(b.src.offset(line, 1), "%s", m[2])
}

// yaml converts v; depth ends an alias that contains itself.
func (b *builder) yaml(v *yaml.Node, depth int) (*node, error) {
	pos := b.src.offset(v.Line, v.Column)
	if v.Kind == yaml.AliasNode {
		return b.yaml(v.Alias, depth)
	}
	if depth > depthMax {
		return nil, syntaxErrorf(pos, "nested more than the maximum of %d levels deep", depthMax)
	}
	n, err := b.node(kindString, pos, v.Value)
	if err != nil {
		return nil, err
	}
	switch v.Kind {
	case yaml.SequenceNode:
		n.kind = kindList
		for _, item := range v.Content {
			child, err := b.yaml(item, depth+1)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, child)
		}
		return n, nil
	case yaml.MappingNode:
		n.kind = kindTable
		return n, b.yamlMapping(n, v.Content, depth)
	default:
		return n, scalarYAML(n, v)
	}
}

// yamlMapping fills n from alternating keys and values.
func (b *builder) yamlMapping(n *node, content []*yaml.Node, depth int) error {
	for i := 0; i+1 < len(content); i += 2 {
		key := content[i]
		pos := b.src.offset(key.Line, key.Column)
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
			return syntaxErrorf(pos, "keys are plain texts here; merge keys are not supported")
		}
		value, err := b.yaml(content[i+1], depth+1)
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
func scalarYAML(n *node, v *yaml.Node) error {
	switch v.ShortTag() {
	case "!!null":
		n.kind = kindNull
	case "!!bool":
		n.kind, n.text = kindBool, strings.ToLower(v.Value)
	case "!!int":
		n.kind, n.text = kindInt, strings.ReplaceAll(v.Value, "_", "")
	case "!!float":
		n.kind, n.text = kindFloat, strings.ReplaceAll(v.Value, "_", "")
	case "!!str", "!!timestamp":
	default:
		return syntaxErrorf(n.pos, "tag %s is not supported", quote(v.Tag))
	}
	return nil
}
