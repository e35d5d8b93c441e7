package depmap_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/depmap"
	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
)

var update = flag.Bool("update", false, "write the golden files anew")

// full is the map of the deployment that has every system.
func full(t *testing.T) *depmap.Map {
	t.Helper()
	out, err := doctor.Check(context.Background(), doctor.Options{Deployment: deployment.Options{Dir: "../../testdata/deployments/full"}, Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	return out.Report.Map(false)
}

// states is a small deployment with every state.
func states() *depmap.Map {
	return depmap.New("kopano", true,
		[]depmap.Service{{Name: "web", Role: "web"}, {Name: "server", Role: "server"}, {Name: "db", Role: "database"}, {Name: "ldap", Role: "ldap"}, {Name: "cache"}},
		[]depmap.Link{
			{ID: "a", From: "server", To: "db", Protocol: "mysql", Address: "db:3306", State: depmap.Broken, Message: "the password is refused"},
			{ID: "b", From: "server", To: "ldap", Protocol: "ldap", Address: "ldap:389", State: depmap.OK},
			{ID: "c", From: "web", To: "server", Protocol: "soap", Address: "server:236", State: depmap.Blocked, Message: "cannot work before server → db does"},
			{ID: "d", From: "web", To: "server", Protocol: "soap", Address: "server:237", State: depmap.OK},
			{ID: "e", From: "client", To: "web", Protocol: "https", Address: "web:443", State: depmap.NotChecked},
			{ID: "f", From: "server", To: "server", Protocol: "local", Address: "/bin/x", State: depmap.OK},
		})
}

const evil = "a\"b'c</title></svg><script>alert(1)</script>&amp; ]]> \\N {x} [y] |z| -->"

// hostile has names that each format has a weakness for.
func hostile() *depmap.Map {
	return depmap.New(evil, true, []depmap.Service{{Name: evil, Role: "server", Href: "#a\"b"}, {Name: "db", Role: "database"}},
		[]depmap.Link{{ID: "a", From: evil, To: "db", Protocol: evil, Address: evil, State: depmap.Broken, Message: evil}, {ID: "b", From: "db", To: evil + "2", State: depmap.OK}})
}

// crowded is more than fits beside each other.
func crowded() *depmap.Map {
	var services []depmap.Service
	var links []depmap.Link
	for i := range 60 {
		services = append(services, depmap.Service{Name: fmt.Sprintf("service-with-a-rather-long-name-%d", i)})
		links = append(links, depmap.Link{ID: fmt.Sprint(i), From: services[i].Name, To: services[i/2].Name}, depmap.Link{ID: fmt.Sprint("x", i), From: services[i].Name, To: services[0].Name})
	}
	return depmap.New("crowded", false, services, links)
}

func maps(t *testing.T) map[string]*depmap.Map {
	return map[string]*depmap.Map{"full": full(t), "states": states(), "hostile": hostile(), "crowded": crowded(), "empty": depmap.New("empty", true, nil, nil)}
}

func write(t *testing.T, f func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != got {
		t.Errorf("%s differs (-update writes it anew), %v; got\n%s", name, err, got)
	}
}

func TestGolden(t *testing.T) {
	golden(t, "full.txt", write(t, func(w io.Writer) error { return depmap.Text(w, full(t), depmap.TextOptions{}) }))
	golden(t, "states.txt", write(t, func(w io.Writer) error { return depmap.Text(w, states(), depmap.TextOptions{}) }))
	golden(t, "states.ascii.txt", write(t, func(w io.Writer) error { return depmap.Text(w, states(), depmap.TextOptions{ASCII: true}) }))
	golden(t, "states.mmd", write(t, func(w io.Writer) error { return depmap.Mermaid(w, states()) }))
	golden(t, "states.dot", write(t, func(w io.Writer) error { return depmap.Dot(w, states()) }))
}

func TestTextFitsAHundredColumns(t *testing.T) {
	for name, m := range maps(t) {
		out := write(t, func(w io.Writer) error { return depmap.Text(w, m, depmap.TextOptions{}) })
		for _, line := range strings.Split(out, "\n") {
			if runewidth.StringWidth(line) > 100 {
				t.Errorf("%s: %d columns: %s", name, runewidth.StringWidth(line), line)
			}
		}
	}
	plain := write(t, func(w io.Writer) error { return depmap.Text(w, states(), depmap.TextOptions{ASCII: true}) })
	for _, r := range plain {
		if r > 0x7f {
			t.Errorf("%q in the form for terminals without UTF-8", r)
		}
	}
}

// box is a rectangle of a picture, and the texts in it.
type box struct{ x, y, w, h float64 }

func (a box) meets(b box) bool {
	return a.x < b.x+b.w && b.x < a.x+a.w && a.y < b.y+b.h && b.y < a.y+a.h
}

// picture reads a picture back: its boxes, and where its texts stand, as wide
// as the widest of the usual fonts makes them.
func picture(t *testing.T, svg string) (boxes, names, layers []box) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	var at *box
	var kind string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return boxes, names, layers
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			a := map[string]string{}
			for _, x := range e.Attr {
				a[x.Name.Local] = x.Value
			}
			number := func(k string) float64 { n, _ := strconv.ParseFloat(a[k], 64); return n }
			at, kind = nil, a["class"]
			switch {
			case e.Name.Local == "script" || a["onload"] != "":
				t.Errorf("a script in the picture")
			case e.Name.Local == "rect" && kind == "box":
				boxes = append(boxes, box{number("x"), number("y"), number("width"), number("height")})
			case e.Name.Local == "text":
				at = &box{x: number("x"), y: number("y") - 11, h: 13}
			}
		case xml.CharData:
			if at == nil {
				continue
			}
			n := float64(runewidth.StringWidth(string(e)))
			switch kind {
			case "layer":
				layers = append(layers, box{at.x, at.y, n * 7.6, at.h})
			default:
				at.w = n * map[string]float64{"name": 8.6, "does": 6.8}[kind]
				names = append(names, box{at.x - at.w/2, at.y, at.w, at.h})
			}
			at = nil
		}
	}
}

func TestNothingInThePictureOverlaps(t *testing.T) {
	for name, m := range maps(t) {
		svg := write(t, func(w io.Writer) error { return depmap.SVG(w, m, false) })
		boxes, names, layers := picture(t, svg)
		if len(boxes) != len(m.Nodes()) || len(names) != 2*len(boxes) {
			t.Errorf("%s: %d boxes and %d texts, want a box and two texts for each of %d", name, len(boxes), len(names), len(m.Nodes()))
			continue
		}
		for i, b := range boxes {
			for _, other := range boxes[i+1:] {
				if b.meets(other) {
					t.Errorf("%s: %v and %v overlap", name, b, other)
				}
			}
			for _, l := range layers {
				if b.meets(l) {
					t.Errorf("%s: the name of a layer %v lies on %v", name, l, b)
				}
			}
			for _, text := range names[2*i : 2*i+2] {
				if text.x < b.x || text.x+text.w > b.x+b.w || text.y < b.y || text.y+text.h > b.y+b.h {
					t.Errorf("%s: a text %v does not fit its box %v", name, text, b)
				}
			}
		}
	}
}

func TestThePictureIsTheSameEachTime(t *testing.T) {
	first := write(t, func(w io.Writer) error { return depmap.SVG(w, full(t), false) })
	for range 5 {
		if again := write(t, func(w io.Writer) error { return depmap.SVG(w, full(t), false) }); again != first {
			t.Fatal("two pictures of one deployment differ")
		}
	}
}

// TestEveryStateHasAPattern looks for what tells the states apart without colour.
func TestEveryStateHasAPattern(t *testing.T) {
	for _, s := range []string{".broken .stroke", ".blocked .stroke", ".not-checked .stroke"} {
		_, rule, _ := strings.Cut(depmap.Style, s+"{")
		if rule, _, _ = strings.Cut(rule, "}"); !strings.Contains(rule, "stroke-dasharray") {
			t.Errorf("%s has no pattern: %s", s, rule)
		}
	}
	svg := write(t, func(w io.Writer) error { return depmap.SVG(w, states(), false) })
	for _, class := range []string{"line ok", "line broken", "line blocked", "line not-checked"} {
		if !strings.Contains(svg, `class="`+class+" ") || !strings.Contains(svg, `class="stroke `+class+" ") {
			t.Errorf("no %s", class)
		}
	}
}

func TestHostileNamesStayNames(t *testing.T) {
	m := hostile()
	mermaid := write(t, func(w io.Writer) error { return depmap.Mermaid(w, m) })
	for _, line := range strings.Split(strings.ReplaceAll(mermaid, "<br/>", ""), "\n") {
		if n := strings.Count(line, `"`); n != 0 && n != 2 || strings.ContainsAny(line, "<'`{}\\") {
			t.Errorf("markup in %s", line)
		}
	}
	page := write(t, func(w io.Writer) error { return depmap.HTML(w, m) })
	if strings.Contains(page, "<script") {
		t.Error("a script in the page")
	}
}

// TestDotIsRead has Graphviz itself read the language, where it is installed.
func TestDotIsRead(t *testing.T) {
	dot, err := exec.LookPath("dot")
	if err != nil && os.Getenv("KOPANO_DOCTOR_CI") == "1" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	for name, m := range maps(t) {
		c := exec.Command(dot, "-Tplain")
		c.Stdin = strings.NewReader(write(t, func(w io.Writer) error { return depmap.Dot(w, m) }))
		out, err := c.CombinedOutput()
		if n := strings.Count("\n"+string(out), "\nnode "); err != nil || n != len(m.Nodes()) {
			t.Errorf("%s: %v, %d nodes, want %d: %.500s", name, err, n, len(m.Nodes()), out)
		}
	}
}

func TestFocusKeepsWhatTouches(t *testing.T) {
	m := full(t).Focus("ldap")
	for _, l := range m.Lines {
		if l.From.Name != "ldap" && l.To.Name != "ldap" {
			t.Errorf("%s → %s", l.From.Name, l.To.Name)
		}
	}
	if m.Services() != 5 || len(m.Lines) != 5 {
		t.Errorf("%d services and %d lines; want ldap, and the four services that call it beside the client", m.Services(), len(m.Lines))
	}
	if m := full(t).Focus("kopano_playground"); m == nil || m.Services() != 2 {
		t.Error("a service that calls nobody")
	}
	if full(t).Focus("nothing") != nil {
		t.Error("a focus on nothing")
	}
}

// TestLinesThatShareTheirEnds wants the worst state on the line.
func TestLinesThatShareTheirEnds(t *testing.T) {
	for _, l := range states().Lines {
		if l.From.Name == "web" && (len(l.Links) != 2 || l.State != depmap.Blocked) {
			t.Errorf("%d links, %s", len(l.Links), l.State)
		}
	}
}
