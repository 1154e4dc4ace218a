"""What `bp` shows in a browser: runs while they train (board/), and a training to step by hand (play/).

Both share the server on this machine (`server`), who may ask it (`guard`: token, Host and Origin, policy of contents),
answers in files and JSON (`kit`), server-sent events (`stream`), curves of few points (`thin`), and the style and
helpers of their pages (page/). A page is text, JavaScript modules and SVG without anything from elsewhere.
"""
