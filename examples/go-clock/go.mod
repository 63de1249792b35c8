module go-clock

go 1.19
