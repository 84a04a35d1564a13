package main

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The colors differ in brightness, too, for readers who don't see their hue.
var (
	ours   = color.RGBA{0x1b, 0x5f, 0xae, 0xff}
	theirs = color.RGBA{0xf0, 0x9a, 0x2e, 0xff}
	naives = color.RGBA{0x9a, 0xa2, 0xab, 0xff}
	ink    = color.RGBA{0x24, 0x29, 0x2f, 0xff}
	faint  = color.RGBA{0xd8, 0xde, 0xe4, 0xff}
)

const (
	width = 760 // as wide as a README is shown
	small = 10
)

// draw makes the charts.
func draw(m *measurements, dir string) error {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	plotter.DefaultFont = plot.DefaultFont
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	charts := []struct {
		name          string
		height        vg.Length
		rows, columns int
		plots         func(*measurements) ([]*plot.Plot, error)
	}{
		{"jobs.svg", 520, 1, 1, jobsChart},
		{"registrations.svg", 330, 1, 1, registrationsChart},
		{"gomaxprocs.svg", 520, 2, 2, processorsChart},
		{"live.svg", 520, 2, 1, liveChart},
	}
	for _, chart := range charts {
		plots, err := chart.plots(m)
		if err != nil {
			return fmt.Errorf("%s: %w", chart.name, err)
		}
		if err := save(filepath.Join(dir, chart.name), chart.height, chart.rows, chart.columns, plots); err != nil {
			return err
		}
	}
	return nil
}

// save arranges the plots in a grid and writes them.
func save(path string, height vg.Length, rows, columns int, plots []*plot.Plot) error {
	grid := make([][]*plot.Plot, rows)
	for i := range grid {
		grid[i] = plots[i*columns : (i+1)*columns]
	}
	img := vgsvg.New(width, height)
	tiles := vgdraw.Tiles{
		Rows: rows, Cols: columns, PadX: 24, PadY: 18,
		PadTop: 10, PadBottom: 10, PadLeft: 10, PadRight: 16,
	}
	canvas := vgdraw.New(img)
	canvas.SetColor(color.White)
	canvas.Fill(canvas.Rectangle.Path())
	for i, row := range plot.Align(grid, tiles, canvas) {
		for j, c := range row {
			grid[i][j].Draw(c)
		}
	}
	var out bytes.Buffer
	if _, err := img.WriteTo(&out); err != nil {
		return err
	}
	// A system without this font has one of the others, whose letters are as wide.
	svg := bytes.ReplaceAll(out.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
	return os.WriteFile(path, svg, 0o644)
}

func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.White
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.TextStyle.Font.Size = 13
	p.Title.TextStyle.Color = ink
	p.Title.Padding = 8
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font.Size = 11
		axis.Label.TextStyle.Color = ink
		axis.Label.Padding = 4
		axis.Tick.Label.Font.Size = small
		axis.Tick.Label.Color = ink
		axis.LineStyle.Color = ink
		axis.Tick.LineStyle.Color = ink
	}
	p.Legend.TextStyle.Font.Size = small
	p.Legend.TextStyle.Color = ink
	p.Legend.Padding = 2
	// On the left the text stands behind the picture, so it doesn't matter how wide the reader's
	// font is.
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.XOffs, p.Legend.YOffs = 12, -4
	return p
}

func grid(p *plot.Plot, vertical, horizontal bool) {
	g := plotter.NewGrid()
	g.Vertical.Color, g.Horizontal.Color = nil, nil
	if vertical {
		g.Vertical.Color = faint
	}
	if horizontal {
		g.Horizontal.Color = faint
	}
	p.Add(g)
}

// jobsChart shows each job as a bar against package context.
func jobsChart(m *measurements) ([]*plot.Plot, error) {
	cores := m.cores()
	at := 1 // the most processors that aren't more than the cores
	for _, cpu := range []int{2, 4} {
		if cpu <= cores {
			at = cpu
		}
	}
	p := newPlot("Each job with breaker, as a share of what it takes with package context",
		fmt.Sprintf("breaker ÷ context: time, stall or heap; shorter is better (GOMAXPROCS %d)", at), "")
	grid(p, true, false)
	var (
		bars    plotter.Values
		targets []*plotter.Line
		ends    plotter.XYs
		ratios  []string
		figures []string
		ticks   []plot.Tick
		longest = 1.0
		top     = float64(len(jobs)) // the row above the first job
	)
	for i, j := range jobs {
		row := top - 1 - float64(i)
		cpu := cores
		if j.parallel {
			cpu = at
		}
		std, us := m.get(j.name, "context", j.unit, cpu), m.get(j.name, j.impl, j.unit, cpu)
		share := us.over(std).summary().median
		ratios = append(ratios, ratio(us.over(std)))
		figures = append(figures, quantity(std.summary().median, j.unit)+" → "+quantity(us.summary().median, j.unit))
		if math.IsNaN(share) {
			share = 0
			figures[i] = "not measured"
		}
		longest = max(longest, share)
		bars = append(plotter.Values{share}, bars...) // counted from the bottom
		if j.target > 0 {
			line, err := plotter.NewLine(plotter.XYs{{X: j.target, Y: row - 0.42}, {X: j.target, Y: row + 0.42}})
			if err != nil {
				return nil, err
			}
			line.LineStyle = vgdraw.LineStyle{Color: ink, Width: 1.5}
			targets = append(targets, line)
		}
		ends = append(ends, plotter.XY{X: max(share, j.target), Y: row})
		ticks = append(ticks, plot.Tick{Value: row, Label: j.id + " " + shortNames[j.name+j.impl] + " "})
	}
	bar, err := plotter.NewBarChart(bars, 15)
	if err != nil {
		return nil, err
	}
	bar.Horizontal, bar.Color, bar.LineStyle.Width = true, ours, 0
	same, err := plotter.NewLine(plotter.XYs{{X: 1, Y: -0.6}, {X: 1, Y: top - 0.3}})
	if err != nil {
		return nil, err
	}
	same.LineStyle = vgdraw.LineStyle{Color: theirs, Width: 2}
	p.Add(same, bar)
	for _, line := range targets {
		p.Add(line)
	}
	// The figures stand in a column on the right, under a heading; the lines have their names above
	// them.
	var column plotter.XYs
	for _, end := range ends {
		column = append(column, plotter.XY{X: longest * 1.06, Y: end.Y})
	}
	names := plotter.XYs{{X: jobs[0].target, Y: top - 0.3}, {X: 1, Y: top - 0.1}, {X: longest * 1.06, Y: top - 0.1}}
	for _, l := range []struct {
		at    plotter.XYs
		texts []string
		right vg.Length
		align text.XAlignment
	}{
		{ends, ratios, 5, text.XLeft},
		{column, figures, 0, text.XLeft},
		{names[:1], []string{"target"}, 0, text.XCenter},
		{names[1:2], []string{"context = 1"}, 0, text.XRight},
		{names[2:], []string{"context → breaker"}, 0, text.XLeft},
	} {
		written, err := newLabels(l.at, l.texts, vg.Point{X: l.right, Y: -3.5})
		if err != nil {
			return nil, err
		}
		for i := range written.TextStyle {
			written.TextStyle[i].XAlign = l.align
		}
		p.Add(written)
	}
	p.Y.Tick.Marker = plot.ConstantTicks(ticks)
	p.Y.Tick.Length, p.Y.LineStyle.Width = 0, 0
	p.Y.Min, p.Y.Max = -0.6, top+0.3
	p.X.Min, p.X.Max = 0, longest*1.32
	p.X.Tick.Marker = shares(longest)
	return []*plot.Plot{p}, nil
}

var shortNames = map[string]string{
	"P01NewClosebreaker":           "new, close",
	"P01NewCloseembedded":          "embedded: close",
	"P02Timeoutbreaker":            "timeout",
	"P03Requestbreaker":            "request",
	"P04Mergebreaker":              "merge",
	"P05OnTripbreaker":             "register, stop",
	"P06OnTripAmongMillionbreaker": "… among 1,000,000",
	"P07Handlerbreaker":            "handler",
	"P08FanOutbreaker":             "trip 1,000,000",
	"P09Stallbreaker":              "stall meanwhile",
	"P10ErrOpenbreaker":            "Err, open",
	"P11ErrTrippedbreaker":         "Err, tripped",
	"P12Chainbreaker":              "chain of 1,000,000",
	"P13HeapOfTimeoutbreaker":      "heap of a timeout",
	"P14HeapAfterBurstbreaker":     "heap after a burst",
	"P03RequestWithinbreaker":      "request, Within",
	"P04MergeWithinbreaker":        "merge, Within",
	"P07HandlerWithinbreaker":      "handler, Within",
	"P15Touchbreaker":              "touch",
	"P16Request/http=1breaker":     "HTTP/1.1",
	"P16Request/http=2breaker":     "HTTP/2",
	"P17Shutdownbreaker":           "stop 10,000",
}

// shares marks every fifth of what package context takes, or every whole of it if ours takes much
// longer.
func shares(longest float64) plot.ConstantTicks {
	step := 0.2
	if longest > 2 {
		step = math.Ceil(longest / 8)
	}
	var ticks plot.ConstantTicks
	for i := 0; float64(i)*step <= longest+1e-9; i++ {
		ticks = append(ticks, plot.Tick{Value: float64(i) * step, Label: strconv.FormatFloat(float64(i)*step, 'g', 2, 64)})
	}
	return ticks
}

// registrationsChart shows what it costs to register and stop among many.
func registrationsChart(m *measurements) ([]*plot.Plot, error) {
	p := newPlot("Register a callback and stop it, among others", "live registrations with the same parent (log scale)", "time of one (log scale)")
	grid(p, true, true)
	var ticks plot.ConstantTicks
	for _, n := range registrations {
		ticks = append(ticks, plot.Tick{Value: math.Log10(float64(n)), Label: thousands(n)})
	}
	lines := []struct {
		impl, text string
		color      color.Color
	}{{"context", "package context", theirs}, {"breaker", "breaker", ours}}
	for _, line := range lines {
		var points []point
		for _, n := range registrations {
			points = append(points, point{math.Log10(float64(n)), m.get("Registrations/live="+strconv.Itoa(n), line.impl, "ns/op", 1).summary()})
		}
		if err := addLine(p, line.text, line.color, points, true); err != nil {
			return nil, err
		}
	}
	p.X.Tick.Marker = ticks
	p.X.Min, p.X.Max = -0.1, 6.1
	decades(&p.Y)
	return []*plot.Plot{p}, nil
}

// processorsChart shows four jobs against GOMAXPROCS.
func processorsChart(m *measurements) ([]*plot.Plot, error) {
	cpus := []int{1, 2, 4, 8}
	var ticks plot.ConstantTicks
	more := false
	for i, cpu := range cpus {
		label := strconv.Itoa(cpu)
		if cpu > m.cores() {
			label += "*"
			more = true
		}
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: label})
	}
	axis := "GOMAXPROCS"
	if more {
		axis = fmt.Sprintf("GOMAXPROCS (* oversubscribed: %d cores)", m.cores())
	}
	var plots []*plot.Plot
	for i, panel := range []named{
		{"P03Request", "P3: a shared parent and a timeout"},
		{"P05OnTrip", "P5: register with one hot parent, stop"},
		{"P07Handler", "P7: a timeout and a signal"},
		{"P11ErrTripped", "P11: Err, tripped"},
	} {
		p := newPlot(panel.text, axis, "time of one (log scale)")
		grid(p, false, true)
		lines := []struct {
			impl, text string
			color      color.Color
		}{{"context", "package context", theirs}, {"breaker", "breaker", ours}}
		for _, line := range lines {
			var points []point
			for x, cpu := range cpus {
				points = append(points, point{float64(x), m.get(panel.name, line.impl, "ns/op", cpu).summary()})
			}
			if err := addLine(p, line.text, line.color, points, i == 0); err != nil {
				return nil, err
			}
		}
		p.X.Tick.Marker = ticks
		p.X.Min, p.X.Max = -0.2, 3.2
		decades(&p.Y)
		plots = append(plots, p)
	}
	return plots, nil
}

// liveChart shows what 100,000 live ones hold.
func liveChart(m *measurements) ([]*plot.Plot, error) {
	memory := newPlot("Heap and stacks of 100,000 live, for each", "", "bytes for each")
	goroutines := newPlot("Goroutines of 100,000 live", "", "goroutines")
	ways := []struct {
		impl, text string
		color      color.Color
	}{
		{"context", "package context", theirs},
		{"breaker", "breaker", ours},
		{"naive", "a goroutine for each source", naives},
	}
	short := []string{"Done only", "timeout", "request", "handler"}
	for _, panel := range []struct {
		plot  *plot.Plot
		value func(name, impl string) float64
	}{
		{memory, func(name, impl string) float64 {
			return m.get(name, impl, "heap-B/live", m.cores()).summary().median + m.get(name, impl, "stack-B/live", m.cores()).summary().median
		}},
		{goroutines, func(name, impl string) float64 {
			return m.get(name, impl, "goroutines", m.cores()).summary().median
		}},
	} {
		p := panel.plot
		grid(p, false, true)
		const thick = 34
		highest := 1.0
		for i, way := range ways {
			var values plotter.Values
			var points plotter.XYs
			var labels []string
			for x, job := range liveJobs {
				v := panel.value("Live/job="+job.name, way.impl)
				if math.IsNaN(v) {
					v = 0
				}
				v = max(v, 0)
				values = append(values, v)
				points = append(points, plotter.XY{X: float64(x), Y: v})
				labels = append(labels, thousands(int(math.Round(v))))
				highest = max(highest, v)
			}
			bars, err := plotter.NewBarChart(values, thick)
			if err != nil {
				return nil, err
			}
			offset := vg.Length(i-1) * (thick + 2)
			bars.Color, bars.LineStyle.Width, bars.Offset = way.color, 0, offset
			written, err := newLabels(points, labels, vg.Point{X: offset, Y: 3})
			if err != nil {
				return nil, err
			}
			for i := range written.TextStyle {
				written.TextStyle[i].XAlign = text.XCenter
				written.TextStyle[i].Font.Size = 9.5
			}
			p.Add(bars, written)
			if p == memory {
				p.Legend.Add(way.text, bars)
			}
		}
		p.NominalX(short...)
		p.X.Tick.Label.Font.Size = small
		p.X.Min, p.X.Max = -0.55, float64(len(short))-0.45
		p.Y.Min, p.Y.Max = 0, highest*1.1
		p.Y.Tick.Marker = plot.TickerFunc(func(low, high float64) []plot.Tick {
			ticks := plot.DefaultTicks{}.Ticks(low, high)
			for i, tick := range ticks {
				if tick.Label != "" {
					ticks[i].Label = thousands(int(tick.Value))
				}
			}
			return ticks
		})
	}
	return []*plot.Plot{memory, goroutines}, nil
}

type point struct {
	x float64
	y summary
}

// addLine adds a line with a point and the quartiles at each place that was measured. The values
// are drawn by their logarithms: plot.LogScale puts an axis' label, and the space for it, in the
// wrong place.
func addLine(p *plot.Plot, name string, c color.Color, points []point, legend bool) error {
	var medians plotter.XYs
	var quartiles plotter.YErrors
	for _, at := range points {
		if at.y.n == 0 {
			continue
		}
		lower, median, upper := math.Log10(at.y.lower), math.Log10(at.y.median), math.Log10(at.y.upper)
		medians = append(medians, plotter.XY{X: at.x, Y: median})
		quartiles = append(quartiles, struct{ Low, High float64 }{median - lower, upper - median})
	}
	if len(medians) == 0 {
		return nil
	}
	line, dots, err := plotter.NewLinePoints(medians)
	if err != nil {
		return err
	}
	line.LineStyle = vgdraw.LineStyle{Color: c, Width: 2}
	dots.GlyphStyle = vgdraw.GlyphStyle{Color: c, Radius: 3, Shape: vgdraw.CircleGlyph{}}
	errors, err := plotter.NewYErrorBars(struct {
		plotter.XYs
		plotter.YErrors
	}{medians, quartiles})
	if err != nil {
		return err
	}
	errors.LineStyle = vgdraw.LineStyle{Color: c, Width: 1}
	p.Add(line, dots, errors)
	if legend {
		p.Legend.Add(name, line, dots)
	}
	return nil
}

// decades makes an axis of logarithms one of times, from a power of ten to one that leaves room for
// the legend.
func decades(axis *plot.Axis) {
	if math.IsInf(axis.Min, 0) || math.IsInf(axis.Max, 0) {
		axis.Min, axis.Max = 1, 3 // nothing was measured
	}
	axis.Min, axis.Max = math.Floor(axis.Min), math.Ceil(axis.Max+0.2)
	var ticks plot.ConstantTicks
	for e := axis.Min; e <= axis.Max; e++ {
		ticks = append(ticks, plot.Tick{Value: e, Label: quantity(math.Pow(10, e), "ns")})
		for i := 2.0; i < 10 && e < axis.Max; i++ {
			ticks = append(ticks, plot.Tick{Value: e + math.Log10(i)})
		}
	}
	axis.Tick.Marker = ticks
}

func newLabels(at plotter.XYs, texts []string, offset vg.Point) (*plotter.Labels, error) {
	labels, err := plotter.NewLabels(plotter.XYLabels{XYs: at, Labels: texts})
	if err != nil {
		return nil, err
	}
	for i := range labels.TextStyle {
		labels.TextStyle[i].Font.Size = 9.5
		labels.TextStyle[i].Color = ink
	}
	labels.Offset = offset
	return labels, nil
}
