console.log("Our garden, soon on the web");
